// The web server of the daemon. A page for people, /status.json, /metrics for Prometheus, /healthz and /livez for
// whatever asks whether all is well. routes.ts says who gets which answer. page/ makes the page. host.ts and token.ts keep
// strangers out. metrics.ts counts. watched.ts is all that is known of the rest of the process.
// One rule here: no client costs more than a connection and one answer, whatever it sends and whether or not it reads.
import { chmod, rm } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { ListenOptions, Socket } from 'node:net'
import { isPrivate, type Place, placeText } from '../../config/daemon/daemon.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { isOwnSocket, ourUid } from '../../own-file.ts'
import { Metrics } from './metrics.ts'
import { type Rules, Routes } from './routes.ts'
import { Token } from './token.ts'
import type { Watched } from './watched.ts'

const REQUEST_LIMIT_MS = 10_000
/** For an answer that nobody reads, and between two requests. */
const IDLE_LIMIT_MS = 15_000
const CONNECTIONS = 64
const HEADER_BYTES = 8192
const HEADERS = 50
const REQUESTS_PER_CONNECTION = 1000

/** What may change while it serves. */
export interface Names {
  /** Names by which it is reached, besides its address. */
  readonly hosts: readonly string[]
  /** Null: none is configured. */
  readonly token: string | null
}

export class HttpServer implements AsyncDisposable {
  /** To be told of each poll that ended. */
  readonly metrics: Metrics
  readonly #server: Server
  readonly #place: Place
  #rules: Rules

  private constructor(place: Place, names: Names, watched: Watched, metrics: Metrics) {
    this.metrics = metrics
    this.#place = place
    this.#rules = rulesOf(place, names)
    const routes = new Routes(watched, metrics)
    const busy = new WeakSet<Socket>()
    this.#server = createServer(
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
        routes.answer(request, response, this.#rules).catch(() => response.destroy())
      },
    )
    this.#server.maxConnections = CONNECTIONS
    this.#server.maxHeadersCount = HEADERS
    this.#server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION
    this.#server.timeout = IDLE_LIMIT_MS
  }

  /** Serves from when it resolves until it is disposed of. Rejects with ERR_CONFIG when it cannot listen there. A socket that a
   *  process of ours left behind, which was killed, is replaced. */
  static async listen(place: Place, names: Names, watched: Watched): Promise<HttpServer> {
    const http = new HttpServer(place, names, watched, new Metrics(watched))
    const server = http.#server
    try {
      const where = await whereOf(place)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ ...where, exclusive: true }, resolve)
      })
      if (place.kind === 'socket') await chmod(place.path, 0o600)
    } catch (cause) {
      server.close()
      const why = cause instanceof PopfetchError ? cause.message : (errnoOf(cause) ?? String(cause))
      throw new PopfetchError(
        'ERR_CONFIG',
        `cannot serve HTTP on ${placeText(place)} (${why}): choose another address for daemon.http`,
        { scope: 'process', retry: 'never', cause },
      )
    }
    // A later error (too many open files) costs a connection, not the process.
    server.on('error', () => {})
    return http
  }

  /** From now on these are its names and its token. */
  call(names: Names): void {
    this.#rules = rulesOf(this.#place, names)
  }

  /** The port that was listened on; 0: it is a socket. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  [Symbol.asyncDispose](): Promise<void> {
    // A socket goes with it.
    this.#server.close()
    this.#server.closeAllConnections()
    return Promise.resolve()
  }
}

function rulesOf(place: Place, { hosts, token }: Names): Rules {
  return {
    // A program that reaches a socket calls it as it likes; a browser does so through another server, whose name is one of `hosts`.
    host: place.kind === 'socket' ? 'localhost' : place.host,
    hosts,
    token: token === null ? null : new Token(token),
    asksForToken: !isPrivate(place),
  }
}

async function whereOf(place: Place): Promise<ListenOptions> {
  if (place.kind === 'port') return { host: place.host, port: place.port }
  const { path } = place
  if ((await isOwnSocket(path, { uid: ourUid() })) && (await isDead(path))) await rm(path, { force: true })
  return { path }
}

/** Does nobody listen behind this socket any more? */
function isDead(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/livez', timeout: REQUEST_LIMIT_MS })
    asked.once('error', (error) => resolve(errnoOf(error) === 'ECONNREFUSED'))
    asked.once('timeout', () => asked.destroy())
    asked.once('response', (response) => {
      response.destroy()
      resolve(false)
    })
    asked.end()
  })
}
