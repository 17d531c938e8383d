// Somebody who is told by all four ways, and a destination that takes mail or refuses everything.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

interface Request {
  readonly method: string
  readonly path: string
  readonly title: string
  readonly key: string
  readonly body: string
}

const HOUR_MS = 3_600_000

export class Told implements AsyncDisposable {
  readonly scene: Scene
  readonly sink: SmtpSink
  readonly requests: Request[] = []
  /** What the web server answers. */
  status = 200
  readonly #server: Server

  private constructor(scene: Scene, sink: SmtpSink, server: Server) {
    this.scene = scene
    this.sink = sink
    this.#server = server
    server.on('request', (request, response) => {
      void this.#take(request).then(() => response.writeHead(this.status).end('ok'))
    })
  }

  static async create(top: object = {}): Promise<Told> {
    const scene = await Scene.create()
    const sink = await SmtpSink.start()
    const server = createServer()
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const told = new Told(scene, sink, server)
    told.script('tell', 'ran')
    told.configure(top)
    return told
  }

  /** A program that writes what it was told to `file`. */
  script(name: string, file: string): void {
    const line = `printf "%s|%s|%s\\n" "$POPFETCH_EVENT" "$POPFETCH_DESTINATION" "$POPFETCH_ACCOUNT" >> ${file}`
    writeFileSync(this.scene.path(name), `#!/bin/sh\ncd ${this.scene.directory}\n${line}\n`, { mode: 0o700 })
  }

  /** The lines that such a program wrote. */
  ran(file: string): readonly string[] {
    const place = this.scene.path(file)
    return existsSync(place) ? readFileSync(place, 'utf8').split('\n').filter(Boolean) : []
  }

  configure(top: object = {}): void {
    const { port } = this.sink
    this.scene.configure(
      { work: { deliver: 'forward' }, home: { deliver: 'forward' } },
      {
        destinations: {
          forward: { type: 'smtp', host: '127.0.0.1', port, tls: 'none', to: ['bob@example.org'] },
          notes: { type: 'maildir', path: 'Notes' },
        },
        notify: [
          { run: ['./tell'] },
          { url: `${this.url}/plain` },
          { url: `${this.url}/json`, json: true, headers: { 'X-Key': { env: 'NOTIFY_KEY' } } },
          { mail: 'notes' },
          { ping: `${this.url}/ping/secret-uuid` },
        ],
        ...top,
      },
    )
    this.scene.env['NOTIFY_KEY'] = 'Key-of-nobody-2'
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #take(request: IncomingMessage): Promise<void> {
    const { method = '', url = '', headers } = request
    const body = await text(request)
    this.requests.push({
      method,
      path: url,
      title: String(headers['title'] ?? ''),
      key: String(headers['x-key'] ?? ''),
      body,
    })
  }

  /** Everything that was told until now, a word for each way and event. */
  get words(): readonly string[] {
    const ran = this.ran('ran')
    const mails = this.mails.map((mail) => (/^Subject: .*works again/m.test(mail) ? 'recovery' : 'problem'))
    const posts = this.requests.filter(({ method }) => method === 'POST')
    return [
      ...ran.map((line) => `run ${line.split('|')[0]}`),
      ...posts
        .filter(({ path }) => path === '/plain')
        .map(({ title }) => `url ${title.includes('works again') ? 'recovery' : 'problem'}`),
      ...posts.filter(({ path }) => path === '/json').map(({ body }) => `json ${JSON.parse(body).event}`),
      ...mails.map((event) => `mail ${event}`),
    ]
  }

  get mails(): readonly string[] {
    const folder = this.scene.path('Notes', 'new')
    return existsSync(folder) ? readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8')) : []
  }

  get pings(): readonly string[] {
    return this.requests.filter(({ method }) => method === 'GET').map(({ path }) => path)
  }

  /** The destination has refused everything for so long already. */
  async age(): Promise<void> {
    await using ledger = await openLedger(this.scene.path('state.db'))
    const pastMs = Date.now() - 7 * HOUR_MS
    for (const { key, recipient } of await ledger.destinations())
      await ledger.changeDestination(key, recipient, (record) =>
        record.rest === null ? record : { ...record, rest: { ...record.rest, sinceMs: pastMs } },
      )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]()
    await this.sink[Symbol.asyncDispose]()
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
