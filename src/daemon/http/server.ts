// What the background process serves over HTTP: /metrics for Prometheus, /healthz for anything that asks whether all is well.
// Nobody signs in, and names of accounts are told: serve it where only friends are.
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Listen } from '../../config/daemon.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { Metrics, type Watched } from './metrics.ts'

const REQUEST_LIMIT_MS = 10_000
const CONNECTIONS = 64

export class HttpServer implements AsyncDisposable {
  /** To be told of each poll that ended. */
  readonly metrics: Metrics
  readonly #server: Server

  private constructor(server: Server, metrics: Metrics) {
    this.#server = server
    this.metrics = metrics
  }

  /** Serves from when it resolves until it is disposed of. Rejects with ERR_CONFIG when it cannot listen there. */
  static async listen({ host, port }: Listen, watched: Watched): Promise<HttpServer> {
    const metrics = await Metrics.create(watched)
    const server = createServer(
      {
        requestTimeout: REQUEST_LIMIT_MS,
        headersTimeout: REQUEST_LIMIT_MS,
        connectionsCheckingInterval: REQUEST_LIMIT_MS,
      },
      ({ method, url }, response) => {
        answer(`${method} ${url?.split('?')[0]}`, response, watched, metrics).catch(() => response.destroy())
      },
    )
    server.maxConnections = CONNECTIONS
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port, exclusive: true }, resolve)
      })
    } catch (cause) {
      throw new PopfetchError(
        'ERR_CONFIG',
        `cannot serve metrics on ${host} port ${port} (${errnoOf(cause) ?? String(cause)}): choose another address for daemon.metrics`,
        { scope: 'process', retry: 'never', cause },
      )
    }
    // A later error (too many open files) costs a connection, not the process.
    server.on('error', () => {})
    return new HttpServer(server, metrics)
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

async function answer(request: string, response: ServerResponse, { plan }: Watched, metrics: Metrics): Promise<void> {
  if (request === 'GET /metrics') {
    const text = await metrics.text()
    response.setHeader('Content-Type', metrics.contentType)
    response.end(text)
    return
  }
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  if (request === 'GET /healthz') {
    const overdue = plan.filter((each) => each.overdue).map(({ account }) => account)
    response.statusCode = overdue.length === 0 ? 200 : 503
    response.end(overdue.length === 0 ? 'ok\n' : `overdue: ${overdue.join(', ')}\n`)
    return
  }
  response.statusCode = 404
  response.end('/metrics and /healthz are here\n')
}
