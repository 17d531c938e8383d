// What the background process serves over HTTP: /metrics for Prometheus, /healthz for anything that asks whether all is well.
// Nobody signs in, and names of accounts are told: serve it where only friends are.
// One rule: no client costs more than a connection and one answer, whatever it sends and whether or not it reads.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Listen } from '../../config/daemon.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { isMeant, type Served } from './host.ts'
import { Metrics, type Watched } from './metrics.ts'

const REQUEST_LIMIT_MS = 10_000
/** For an answer that nobody reads, and between two requests. */
const IDLE_LIMIT_MS = 15_000
const CONNECTIONS = 64
const HEADER_BYTES = 8192
const HEADERS = 50
const REQUESTS_PER_CONNECTION = 1000
/** So long one text serves everybody who asks for it. */
const TEXT_FRESH_MS = 1000

export class HttpServer implements AsyncDisposable {
  /** To be told of each poll that ended. */
  readonly metrics: Metrics
  readonly #server: Server
  readonly #names: { hosts: readonly string[] }

  private constructor(server: Server, metrics: Metrics, names: { hosts: readonly string[] }) {
    this.#server = server
    this.#names = names
    this.metrics = metrics
  }

  /** Serves from when it resolves until it is disposed of. Rejects with ERR_CONFIG when it cannot listen there. */
  static async listen(listen: Listen, watched: Watched): Promise<HttpServer> {
    const { host, port } = listen
    const names = { hosts: listen.hosts }
    const metrics = await Metrics.create(watched)
    const texts = new Texts(metrics)
    const busy = new WeakSet<Socket>()
    const server = createServer(
      {
        requestTimeout: REQUEST_LIMIT_MS,
        headersTimeout: REQUEST_LIMIT_MS,
        connectionsCheckingInterval: REQUEST_LIMIT_MS / 4,
        maxHeaderSize: HEADER_BYTES,
      },
      (request, response) => {
        const { socket } = request
        // A request before the last one is answered: answers could pile up in front of a client that never reads.
        if (busy.has(socket)) {
          socket.destroy()
          return
        }
        busy.add(socket)
        response.once('close', () => busy.delete(socket))
        answer(request, response, { served: { host, ...names }, watched, texts }).catch(() => response.destroy())
      },
    )
    server.maxConnections = CONNECTIONS
    server.maxHeadersCount = HEADERS
    server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION
    server.timeout = IDLE_LIMIT_MS
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port, exclusive: true }, resolve)
      })
    } catch (cause) {
      throw new PopfetchError(
        'ERR_CONFIG',
        `cannot serve HTTP on ${host} port ${port} (${errnoOf(cause) ?? String(cause)}): choose another address for daemon.http`,
        { scope: 'process', retry: 'never', cause },
      )
    }
    // A later error (too many open files) costs a connection, not the process.
    server.on('error', () => {})
    return new HttpServer(server, metrics, names)
  }

  /** From now on these are its names besides its address. */
  call(hosts: readonly string[]): void {
    this.#names.hosts = hosts
  }

  /** The port that was listened on. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    return Promise.resolve()
  }
}

/** One text of the metrics for all who ask within a second: ten thousand accounts make a megabyte. */
class Texts {
  readonly #metrics: Metrics
  #made: { readonly bytes: Promise<Buffer>; readonly atMs: number } | null = null

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  get contentType(): string {
    return this.#metrics.contentType
  }

  text(): Promise<Buffer> {
    const nowMs = performance.now()
    if (this.#made === null || nowMs - this.#made.atMs > TEXT_FRESH_MS) {
      this.#made = { bytes: this.#metrics.text().then((text) => Buffer.from(text)), atMs: nowMs }
      // A failure is of its own moment only.
      this.#made.bytes.catch(() => (this.#made = null))
    }
    return this.#made.bytes
  }
}

interface Sources {
  readonly served: Served
  readonly watched: Watched
  readonly texts: Texts
}

async function answer(request: IncomingMessage, response: ServerResponse, sources: Sources): Promise<void> {
  const { served, watched, texts } = sources
  const asked = `${request.method} ${request.url?.split('?')[0]}`
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'")
  // What may stand in the body of another method is not waited for.
  if (request.method !== 'GET') response.shouldKeepAlive = false
  const plain = (statusCode: number, text: string): void => {
    response.statusCode = statusCode
    response.setHeader('Content-Type', 'text/plain; charset=utf-8')
    response.end(text)
  }
  if (asked === 'GET /healthz') {
    const troubles = await troublesOf(watched)
    plain(troubles.length === 0 ? 200 : 503, troubles.length === 0 ? 'ok\n' : `${troubles.join('\n')}\n`)
  } else if (!isMeant(request.headers.host, served)) {
    plain(403, 'this name is not served here: daemon.httpHosts of the configuration may hold it\n')
  } else if (asked === 'GET /metrics') {
    const text = await texts.text()
    response.setHeader('Content-Type', texts.contentType)
    response.end(text)
  } else plain(404, '/metrics and /healthz are here\n')
}

/** A line for each kind of trouble; none: all is well. */
async function troublesOf({ plan, ledger }: Watched): Promise<readonly string[]> {
  const overdue = plan.filter((each) => each.overdue).map(({ account }) => account)
  const polled = new Set(plan.map(({ account }) => account))
  const failing = (await ledger.accounts()).filter(({ name, failures }) => failures > 0 && polled.has(name))
  const resting = (await ledger.destinations()).flatMap(({ names, rest }) => (rest === null ? [] : names))
  const lines = [
    ['overdue', overdue],
    ['failing', failing.map(({ name }) => name)],
    ['left alone', [...new Set(resting)]],
  ] as const
  return lines.flatMap(([what, names]) => (names.length === 0 ? [] : [`${what}: ${names.join(', ')}`]))
}
