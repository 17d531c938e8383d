// A fake Gmail: labels, and the import of messages in one request or in a session that can be resumed, as Google's public reference
// describes them. Counts quota units. It misbehaves when a test assigns a fault, which is an answer or what happens instead.
// https://developers.google.com/workspace/gmail/api/reference/rest
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { certificates, type CertificateKind } from './certificates.ts'

export interface StoredMessage {
  readonly id: string
  readonly threadId: string
  readonly labelIds: readonly string[]
  readonly bytes: Buffer
  readonly query: Readonly<Record<string, string>>
}

/** A status with JSON; `body`: instead of JSON. `drop`: cut instead of an answer. `lost`: cut, but it was done. `stall`: no answer
 *  ever. `half`: cut in the middle of the message. null: as a healthy server. */
export type GmailAnswer =
  | {
      readonly status: number
      readonly json?: unknown
      readonly body?: string | Buffer
      readonly headers?: Readonly<Record<string, string>>
    }
  | 'drop'
  | 'lost'
  | 'stall'
  | 'half'
  | null

export type Stage =
  | GmailAnswer
  | ((request: { readonly url: URL; readonly bytes: Buffer }) => GmailAnswer | Promise<GmailAnswer>)

/** What Google sends for a refusal. */
export function refusal(status: number, reason: string, message = reason, more: object = {}): GmailAnswer {
  const errors = [{ domain: 'global', reason, message }]
  return { status, json: { error: { code: status, message, errors, ...more } } }
}

interface Session {
  readonly query: Readonly<Record<string, string>>
  readonly labelIds: readonly string[]
  readonly sizeBytes: number
  bytes: Buffer
  stored: StoredMessage | null
}

const UNITS: Readonly<Record<string, number>> = { list: 1, make: 5, import: 25 }

export class GmailServer implements AsyncDisposable {
  readonly user = 'anna@gmail.com'
  /** Tokens that it takes. */
  readonly tokens = new Set(['good'])
  readonly messages: StoredMessage[] = []
  /** By name. */
  readonly labels = new Map<string, string>([
    ['INBOX', 'INBOX'],
    ['UNREAD', 'UNREAD'],
  ])
  readonly faults: { list: Stage; make: Stage; import: Stage; put: Stage } = {
    list: null,
    make: null,
    import: null,
    put: null,
  }
  /** Called when the body of an import begins to come. */
  onBody: (() => void) | null = null
  /** What was asked: method and path. */
  readonly asked: string[] = []
  units = 0
  connections = 0
  readonly #server: Server
  /** Connections that are open, and requests that are not done with. */
  #busy = 0
  #idle: (() => void)[] = []
  readonly #sessions = new Map<string, Session>()
  #next = 1

  readonly #tls: boolean

  private constructor(tls: CertificateKind | null) {
    this.#tls = tls !== null
    const { certificate: cert, key } = certificates[tls ?? 'good']
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#busy++
      void this.#serve(request, response).finally(() => this.#done())
    }
    this.#server = this.#tls ? createTlsServer({ cert, key }, serve) : createServer(serve)
    this.#server.on('connection', (socket) => {
      this.connections++
      this.#busy++
      socket.on('close', () => this.#done())
    })
  }

  #done(): void {
    if (--this.#busy > 0) return
    for (const tell of this.#idle) tell()
    this.#idle = []
  }

  /** Resolves once all connections are closed, and what came over them is stored. */
  idle(): Promise<void> {
    return this.#busy === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve))
  }

  static async start({ tls = null }: { readonly tls?: CertificateKind | null } = {}): Promise<GmailServer> {
    const server = new GmailServer(tls)
    await new Promise<void>((resolve) => void server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get endpoint(): string {
    const { port } = this.#server.address() as AddressInfo
    return this.#tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request
    const url = new URL(request.url ?? '/', 'http://fake')
    this.asked.push(`${request.method} ${url.pathname}`)
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const home = `/gmail/v1/users/${encodeURIComponent(this.user)}`
    const isImport = url.pathname === `/upload${home}/messages/import`
    const session = this.#sessions.get(url.pathname)
    const stage = session !== undefined ? 'put' : isImport ? 'import' : request.method === 'GET' ? 'list' : 'make'
    this.units += UNITS[stage] ?? 0
    if (stage === 'import' || stage === 'put') this.onBody?.()
    const half = this.faults[stage] === 'half'
    if (half) this.faults[stage] = null
    const bytes = await bodyOf(request, half)
    if (bytes === null || half) {
      if (session !== undefined && bytes !== null) keep(session, request, bytes)
      return void socket.destroy()
    }
    const fault = this.faults[stage]
    const answer = typeof fault === 'function' ? await fault({ url, bytes }) : fault
    if (answer === 'stall') return
    if (answer === 'drop') return void socket.destroy()
    if (answer !== null && answer !== 'lost' && answer !== 'half') return send(response, answer)
    const done = this.tokens.has(token)
      ? this.#do(stage, request, url, bytes, session)
      : refusal(401, 'authError', 'Invalid Credentials')
    if (answer === 'lost') return void socket.destroy()
    send(response, done)
  }

  #do(stage: string, request: IncomingMessage, url: URL, bytes: Buffer, session: Session | undefined): GmailAnswer {
    if (stage === 'list') {
      const labels = [...this.labels].map(([name, id]) => ({ id, name, type: id === name ? 'system' : 'user' }))
      return url.pathname.endsWith('/labels') ? { status: 200, json: { labels } } : refusal(404, 'notFound')
    }
    if (stage === 'make') return this.#make(bytes)
    if (session !== undefined) return this.#put(session, request, bytes)
    const query = Object.fromEntries(url.searchParams)
    if (query['uploadType'] === 'resumable') {
      const path = `/upload/session/${this.#next++}`
      const { labelIds } = JSON.parse(bytes.toString()) as { labelIds: string[] }
      const sizeBytes = Number(request.headers['x-upload-content-length'])
      this.#sessions.set(path, { query, labelIds, sizeBytes, bytes: Buffer.alloc(0), stored: null })
      return { status: 200, body: '', headers: { location: `${this.endpoint}${path}` } }
    }
    const boundary = /boundary=(\S+)$/.exec(request.headers['content-type'] ?? '')?.[1] ?? ''
    const parts = partsOf(bytes, boundary)
    if (parts === null) return refusal(400, 'badRequest', 'Malformed multipart body.')
    return this.#store(parts.labelIds, parts.message, query)
  }

  #make(bytes: Buffer): GmailAnswer {
    const { name } = JSON.parse(bytes.toString()) as { name: string }
    const known = [...this.labels.keys()].some((one) => one.toLowerCase() === name.toLowerCase())
    if (known) return refusal(409, 'aborted', 'Label name exists or conflicts')
    const id = `Label_${this.#next++}`
    this.labels.set(name, id)
    return { status: 200, json: { id, name } }
  }

  #put(session: Session, request: IncomingMessage, bytes: Buffer): GmailAnswer {
    if (session.stored !== null) return storedAnswer(session.stored)
    if (!(request.headers['content-range'] ?? '').startsWith('bytes */')) keep(session, request, bytes)
    if (session.bytes.length < session.sizeBytes) {
      const range = session.bytes.length === 0 ? {} : { range: `bytes=0-${session.bytes.length - 1}` }
      return { status: 308, body: '', headers: range }
    }
    const answer = this.#store(session.labelIds, session.bytes, session.query)
    session.stored = this.messages.at(-1) ?? null
    return answer
  }

  #store(labelIds: readonly string[], bytes: Buffer, query: StoredMessage['query']): GmailAnswer {
    const known = new Set(this.labels.values())
    const unknown = labelIds.find((id) => !known.has(id))
    if (unknown !== undefined) return refusal(400, 'invalidArgument', `labelId not found: Invalid label: ${unknown}`)
    const at = this.#next++
    const message = { id: `m${at}`, threadId: `t${at}`, labelIds, bytes, query }
    this.messages.push(message)
    return storedAnswer(message)
  }
}

function storedAnswer({ id, threadId, labelIds }: StoredMessage): GmailAnswer {
  return { status: 200, json: { id, threadId, labelIds } }
}

function keep(session: Session, { headers }: IncomingMessage, bytes: Buffer): void {
  const from = Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? 0)
  if (from === session.bytes.length) session.bytes = Buffer.concat([session.bytes, bytes])
}

/** null: it was cut. `half`: what came until there is half of it. */
async function bodyOf(request: IncomingMessage, half: boolean): Promise<Buffer | null> {
  const wanted = Number(request.headers['content-length'] ?? 0)
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of request) {
      const bytes = Buffer.from(chunk as Uint8Array)
      chunks.push(bytes)
      length += bytes.length
      if (half && length >= wanted / 2) break
    }
  } catch {
    return null
  }
  return Buffer.concat(chunks)
}

function send(response: ServerResponse, answer: GmailAnswer): void {
  if (answer === null || typeof answer === 'string') return
  const { status, json, body, headers } = answer
  const type = body === undefined ? 'application/json; charset=UTF-8' : 'text/html'
  response.writeHead(status, { 'content-type': type, ...headers })
  response.end(body ?? JSON.stringify(json === undefined ? {} : json))
}

function partsOf(bytes: Buffer, boundary: string): { labelIds: readonly string[]; message: Buffer } | null {
  const delimiter = Buffer.from(`--${boundary}`)
  const second = bytes.indexOf(delimiter, delimiter.length)
  const end = bytes.lastIndexOf(Buffer.from(`\r\n--${boundary}--\r\n`))
  const body = bytes.indexOf('\r\n\r\n', second) + 4
  if (second < 0 || end < body || !bytes.subarray(0, delimiter.length).equals(delimiter)) return null
  const json = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4, second).toString()
  const { labelIds } = JSON.parse(json) as { labelIds: string[] }
  return { labelIds, message: bytes.subarray(body, end) }
}
