// One HTTPS request and its answer, complete or not at all. Knows no token and no mailbox. node:https instead of fetch. Only here
// can the end of a message be held back until it may be sent, and told whether it was. Proxies are those of the environment.
// One rule: an answer is foreign. It is bounded, its JSON is looked at by known keys alone, and no redirect is followed.
import type { Agent as HttpAgent, ClientRequest as Request, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { unzipSync } from 'node:zlib'
import { display, displayBytes } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { tlsError } from '../../pop3/network/network-error.ts'
import { trustedBy, withTrust } from '../../pop3/network/trust.ts'
import { checkServerIdentity } from '../../server-identity.ts'
import { type GmailLimits, SLOWEST_BYTES_PER_S } from './settings.ts'

/** A mailbox has at most 10,000 labels of 225 characters. */
const ANSWER_BYTES = 4 * 1024 * 1024
/** Google's servers keep a connection for minutes; one that is old may be dead unnoticed. */
const KEPT_MS = 20_000

export interface Outgoing {
  readonly sizeBytes: number
  /** All of it, from the beginning, at every call. */
  chunks(): AsyncIterable<Buffer>
  /** See Attempt; null: nobody wants to know. */
  readonly handingOver: (() => Promise<void>) | null
}

export interface Asking {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly url: URL
  readonly headers: OutgoingHttpHeaders
  readonly body: Outgoing | Buffer | null
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Undefined: what came is no JSON. */
  readonly json: unknown
  /** How it begins, safe to print. */
  readonly begins: string
}

export type FaultKind = 'connect' | 'tls' | 'cut' | 'silence' | 'nonsense' | 'stopped' | 'ours'

/** A request without an answer to look at. */
export class GmailFailure extends Error {
  readonly kind: FaultKind
  step: 'labels' | 'message' = 'message'
  /** All of the message went out. */
  readonly handed: boolean

  constructor(kind: FaultKind, text: string, handed: boolean, cause?: unknown) {
    super(text, { cause })
    this.kind = kind
    this.handed = handed
  }
}

export class Exchange {
  readonly #origin: URL
  readonly #limits: GmailLimits
  readonly #env: Readonly<Record<string, string | undefined>>
  readonly #concurrency: number
  #agent: HttpAgent | null = null

  constructor(
    origin: string,
    {
      limits,
      env,
      concurrency,
    }: { limits: GmailLimits; env: Readonly<Record<string, string | undefined>>; concurrency: number },
  ) {
    this.#origin = new URL(origin)
    this.#limits = limits
    this.#env = env
    this.#concurrency = concurrency
  }

  /** An address below the origin. */
  url(path: string, query: Readonly<Record<string, string>> = {}): URL {
    const url = new URL(path, this.#origin)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return url
  }

  /** An address that the server gave; null: it is not the server's own. */
  own(text: string): URL | null {
    const url = URL.canParse(text, this.#origin.href) ? new URL(text, this.#origin) : null
    return url !== null && url.origin === this.#origin.origin && url.username === '' && url.password === '' ? url : null
  }

  /** Resolves with a complete answer, whatever it says. Rejects with GmailFailure, or with what `handingOver` rejected with. */
  async ask(asking: Asking, signal: AbortSignal): Promise<Reply> {
    const trust = { name: null, ca: null, pin: null, clientCert: null, clientKey: null }
    try {
      return await withTrust(trust, () => this.#again(asking, signal))
    } catch (error) {
      throw error instanceof PopfetchError && error.code === 'ERR_TLS'
        ? new GmailFailure('tls', error.message, false, error)
        : error
    }
  }

  close(): void {
    this.#agent?.destroy()
    this.#agent = null
  }

  /** A connection that was kept and is dead is tried once more as a new one, if nothing of a message can have arrived. */
  async #again(asking: Asking, signal: AbortSignal): Promise<Reply> {
    const first = new Attempted(asking, this.#limits)
    try {
      return await this.#once(first, signal)
    } catch (error) {
      const isStale = first.reused && !first.answered && !first.handed
      if (!isStale || !(error instanceof GmailFailure) || error.kind !== 'cut') throw error
      return await this.#once(new Attempted(asking, this.#limits), signal)
    }
  }

  async #once(attempted: Attempted, signal: AbortSignal): Promise<Reply> {
    const isTls = this.#origin.protocol === 'https:'
    const http = isTls ? await import('node:https') : await import('node:http')
    if (this.#agent === null) {
      const proxyEnv = isTls ? { proxyEnv: { ...this.#env } } : {}
      this.#agent = new http.Agent({ keepAlive: true, maxSockets: this.#concurrency, timeout: KEPT_MS, ...proxyEnv })
    }
    const { asking } = attempted
    const { length } = sizeOf(asking.body)
    return await attempted.run(
      http.request(asking.url, {
        agent: this.#agent,
        method: asking.method,
        headers: { ...asking.headers, 'content-length': length, 'accept-encoding': 'identity' },
        checkServerIdentity,
        minVersion: 'TLSv1.2',
        ...trustedBy(null),
      }),
      signal,
    )
  }
}

function sizeOf(body: Asking['body']): { readonly length: number } {
  if (body === null) return { length: 0 }
  return { length: Buffer.isBuffer(body) ? body.length : body.sizeBytes }
}

/** One request on one connection. */
class Attempted {
  readonly asking: Asking
  answered = false
  handed = false
  #connected = false
  #request: Request | null = null
  readonly #limits: GmailLimits
  #resolve: (reply: Reply) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(asking: Asking, limits: GmailLimits) {
    this.asking = asking
    this.#limits = limits
  }

  get reused(): boolean {
    return this.#request?.reusedSocket === true
  }

  async run(request: Request, signal: AbortSignal): Promise<Reply> {
    this.#request = request
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    this.#resolve = resolve
    this.#reject = reject
    const stopped = (): void => this.#fail('stopped', 'stopped')
    const { connectMs, silenceMs, requestMs } = this.#limits
    const { length } = sizeOf(this.asking.body)
    const total = setTimeout(
      () => this.#fail('silence', 'it takes too long'),
      timerMs(requestMs + (length / SLOWEST_BYTES_PER_S) * 1000),
    )
    const connecting = setTimeout(() => this.#fail('connect', 'no answer to the connection'), timerMs(connectMs))
    const isTls = this.asking.url.protocol === 'https:'
    request.on('socket', (socket) => {
      const ready = (): void => {
        this.#connected = true
        clearTimeout(connecting)
        request.setTimeout(timerMs(silenceMs), () => this.#fail('silence', 'no answer in time'))
        void this.#write(request)
      }
      // Through a proxy it comes when TLS stands already (Node 24).
      const isReady = isTls ? Reflect.get(socket, 'secureConnecting') === false : !socket.connecting
      if (request.reusedSocket || isReady) ready()
      else socket.once(isTls ? 'secureConnect' : 'connect', ready)
    })
    request.on('error', (error) => this.#failed(error))
    // Once there is an answer, reading it says whether it is complete.
    request.on('close', () => {
      if (!this.answered) this.#fail('cut', 'the connection was closed')
    })
    request.on('response', (response) => void this.#read(response))
    signal.addEventListener('abort', stopped, { once: true })
    if (signal.aborted) stopped()
    try {
      return await promise
    } finally {
      clearTimeout(total)
      clearTimeout(connecting)
      signal.removeEventListener('abort', stopped)
    }
  }

  async #write(request: Request): Promise<void> {
    const { body } = this.asking
    if (body === null || Buffer.isBuffer(body)) {
      request.end(body ?? undefined)
      return
    }
    try {
      let last: Buffer | null = null
      let given = 0
      for await (const chunk of body.chunks()) {
        if (last !== null) {
          if (this.answered || request.destroyed) return
          if (!request.write(last)) await drained(request)
        }
        given += chunk.length
        last = chunk
      }
      if (given !== body.sizeBytes) throw new Error(`the message has ${given} bytes where ${body.sizeBytes} were meant`)
      await body.handingOver?.()
      if (this.answered || request.destroyed) return
      this.handed = true
      request.end(last ?? undefined)
    } catch (error) {
      this.#reject(error instanceof PopfetchError ? error : new GmailFailure('ours', textOf(error), this.handed, error))
      request.destroy()
    }
  }

  async #read(response: IncomingMessage): Promise<void> {
    this.answered = true
    const chunks: Buffer[] = []
    let length = 0
    try {
      for await (const chunk of response) {
        const bytes = Buffer.from(chunk as Uint8Array)
        length += bytes.length
        if (length > ANSWER_BYTES) return this.#fail('nonsense', 'its answer is longer than 4 MB')
        chunks.push(bytes)
      }
    } catch (error) {
      return this.#fail('cut', textOf(error))
    }
    const body = decoded(response, Buffer.concat(chunks, length))
    const status = response.statusCode ?? 0
    this.#resolve({ status, headers: response.headers, json: jsonOf(response, body), begins: displayBytes(body, 80) })
    // It answered before it had all: what is left of the request belongs to nobody.
    if (this.#request?.writableFinished !== true) this.#request?.destroy()
  }

  #failed(error: Error): void {
    const code = errnoOf(error) ?? ''
    if (/^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|ERR_SSL_)/.test(code)) {
      const { hostname, port } = this.asking.url
      this.#reject(tlsError(error, hostname, Number(port) || 443))
    } else this.#fail(this.#connected ? 'cut' : 'connect', textOf(error), error)
  }

  #fail(kind: FaultKind, text: string, cause?: unknown): void {
    this.#reject(new GmailFailure(kind, text, this.handed, cause))
    this.#request?.destroy()
  }
}

/** A timer holds no more, and would go off at once. */
function timerMs(ms: number): number {
  return Math.min(ms, 2_000_000_000)
}

function textOf(error: unknown): string {
  // The first of the errors of several addresses says more than "all failed".
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  return display(first instanceof Error ? first.message : String(first))
}

async function drained(request: Request): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = (): void => {
      request.off('drain', go)
      request.off('close', go)
      resolve()
    }
    request.on('drain', go)
    request.on('close', go)
  })
}

/** We ask for no compression; a proxy may compress nevertheless. What cannot be read stays as it came, and is no JSON. */
function decoded({ headers }: IncomingMessage, body: Buffer): Buffer {
  if (!/^(?:x-)?gzip$|^deflate$/i.test(headers['content-encoding'] ?? '')) return body
  try {
    return unzipSync(body, { maxOutputLength: ANSWER_BYTES })
  } catch {
    return body
  }
}

function jsonOf({ headers }: IncomingMessage, body: Buffer): unknown {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') return undefined
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
