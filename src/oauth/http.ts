// Every request to a provider. It gives the library only JSON that is safe to look at: complete, of bounded size, from the very
// address that was asked. Here it is decided what is no answer, and whether a request can have been received.
// The one rule: no redirect is followed, so that no code, token or secret goes to an address that nobody configured.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { display, displayBytes } from '../display.ts'
import { errnoOf, PopfetchError } from '../errors.ts'
import { connectError, tlsError, timedOut } from '../pop3/network/network-error.ts'
import { trustedBy, withTrust } from '../pop3/network/trust.ts'
import { checkServerIdentity } from '../server-identity.ts'
import { checkedUrl, isLoopback, noAnswer, RequestFailure } from './request.ts'

/** No answer of a provider is longer than a few KiB; metadata has some 10 KiB. */
const LIMIT_BYTES = 1_048_576
const LIMIT_MS = 30_000
const MINUTE_MS = 60_000
/** A provider that is busy may say how long; longer than a day is not believed. */
const LONGEST_PAUSE_MS = 86_400_000

export interface FetchOptions {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: undefined | string | URLSearchParams | null
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface HttpContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly nowMs: () => number
  readonly limitMs?: number
}

export class Http {
  readonly #context: HttpContext
  /** How far the provider's clock was ahead of ours at its last answer; null: it did not say. */
  #aheadMs: number | null = null

  constructor(context: HttpContext) {
    this.#context = context
  }

  /** `; the clock …` where ours and the provider's are too far apart for what both sign; else nothing. */
  get clockText(): string {
    const ahead = this.#aheadMs
    if (ahead === null || Math.abs(ahead) < 5 * MINUTE_MS) return ''
    const minutes = Math.round(Math.abs(ahead) / MINUTE_MS)
    return `; the clock of this machine is ${minutes} minutes ${ahead > 0 ? 'slow' : 'fast'} compared with the provider's: set it first`
  }

  /** The `fetch` of the library. Resolves with JSON of at most 1 MB, and with what the provider says in JSON of a failure. `empty`: an
   *  answer without a body counts, too. Rejects with RequestFailure; with ERR_ABORTED after `signal`. */
  async fetch(
    href: string,
    options: FetchOptions,
    signal: AbortSignal | null = null,
    empty = false,
  ): Promise<Response> {
    const url = checkedUrl(href, 'the address')
    const peer = display(url.host)
    const text = options.body?.toString() ?? null
    // A chain that only the system knows is tried again with the system's authorities: nothing was sent until then.
    const trust = { name: null, ca: null, pin: null, clientCert: null, clientKey: null }
    const answer = await withTrust(trust, () => this.#ask(url, { ...options, body: text }, signal)).catch(
      (error: unknown) => {
        throw error instanceof PopfetchError && !(error instanceof RequestFailure) && error.code !== 'ERR_ABORTED'
          ? new RequestFailure(error.code, error.message, { retry: error.retry, harmless: true, cause: error.cause })
          : error
      },
    )
    return this.#checked(answer, peer, empty)
  }

  #checked({ status, headers, body }: Answer, peer: string, empty: boolean): Response {
    const date = Date.parse(headers.date ?? '')
    if (!Number.isNaN(date)) this.#aheadMs = date - this.#context.nowMs()
    if (status >= 300 && status < 400) {
      const to = display(headers.location ?? 'nowhere')
      throw noAnswer(
        `asking ${peer}: it redirects us (${status}, to ${to}): the address in the configuration is not the right one`,
        true,
      )
    }
    if (status >= 500 || status === 408 || status === 425 || status === 429) {
      const seconds = Number(headers['retry-after'] ?? Number.NaN)
      const pauseMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, LONGEST_PAUSE_MS) : 0
      const text = `asking ${peer}: it is busy or broken (${status}): trying again later`
      throw new RequestFailure('ERR_CONNECT', text, { retry: 'soon', harmless: status < 500, pauseMs })
    }
    if (empty && status === 200) return new Response(null, { status })
    const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
    if (type !== 'application/json' && !type.endsWith('+json')) {
      const what = type === '' ? 'no type' : display(type, 60)
      throw noAnswer(
        `asking ${peer}: it answered ${status} with ${what} instead of JSON: ${begins(body)}`,
        status >= 400,
      )
    }
    return new Response(body.toString('utf8'), { status, headers: { 'content-type': 'application/json' } })
  }

  async #ask(url: URL, options: FetchOptions, signal: AbortSignal | null): Promise<Answer> {
    const { env, limitMs = LIMIT_MS } = this.#context
    const peer = display(url.host)
    // Loopback never goes through a proxy.
    const { Agent, request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http')
    const agent = new Agent({ keepAlive: false, ...(isLoopback(url.hostname) ? {} : { proxyEnv: { ...env } }) })
    const timeout = AbortSignal.timeout(limitMs)
    let sent = false
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const asked = request(url, {
          agent,
          method: options.method,
          headers: { ...options.headers, 'accept-encoding': 'identity', connection: 'close' },
          signal: signal === null ? timeout : AbortSignal.any([signal, timeout]),
          checkServerIdentity,
          minVersion: 'TLSv1.2',
          ...trustedBy(null),
        })
        const onSent = (): void => void (sent = true)
        asked.on('socket', (socket) => socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', onSent))
        // Through a proxy the socket is ready before it is told: then this tells it.
        asked.on('finish', onSent)
        asked.on('error', reject)
        asked.on('response', (response) => void bodyOf(response, peer).then(resolve, reject))
        asked.end(options.body ?? undefined)
      })
    } catch (error) {
      throw signal?.aborted === true ? aborted(peer) : failure(error, { url, sent, timedOut: timeout.aborted, limitMs })
    } finally {
      agent.destroy()
    }
  }
}

async function bodyOf(response: IncomingMessage, peer: string): Promise<Answer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk as Uint8Array)
    length += bytes.length
    if (length > LIMIT_BYTES) {
      response.destroy()
      throw noAnswer(`asking ${peer}: its answer is longer than 1 MB: nothing of it is used`, false)
    }
    chunks.push(bytes)
  }
  if (response.headers['content-encoding'] !== undefined && response.headers['content-encoding'] !== 'identity') {
    throw noAnswer(`asking ${peer}: its answer is compressed, which was not asked for`, false)
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks, length) }
}

function failure(
  error: unknown,
  { url, sent, timedOut: late, limitMs }: { url: URL; sent: boolean; timedOut: boolean; limitMs: number },
): PopfetchError {
  if (error instanceof PopfetchError) return error
  const peer = display(url.host)
  if (late) {
    const { message } = timedOut(`asking ${peer}`, limitMs, 'trying again later')
    return new RequestFailure('ERR_TIMEOUT', message, { retry: 'soon', harmless: !sent, cause: error })
  }
  const port = Number(url.port) || 443
  const isTls = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|ERR_SSL_)/.test(errnoOf(error) ?? '')
  // Not a RequestFailure yet: withTrust knows what to do with a chain that is not trusted.
  if (isTls) return tlsError(error, url.hostname, port)
  const { message } = connectError(error, peer)
  const text = sent ? message.replace('cannot connect to', 'the connection was lost while asking') : message
  return new RequestFailure('ERR_CONNECT', text, { retry: 'soon', harmless: !sent, cause: error })
}

function begins(body: Buffer): string {
  return body.length === 0 ? 'it is empty' : `it begins with "${displayBytes(body, 60).trim()}"`
}

function aborted(peer: string): PopfetchError {
  return new PopfetchError('ERR_ABORTED', `asking ${peer} was interrupted`, { scope: 'account', retry: 'soon' })
}
