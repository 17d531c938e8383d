// A request to an address that somebody configured to be told. One try, within a limit, without following it elsewhere: a header
// may hold a secret. The address itself may be one: no text has more of it than its host. By the proxy that the environment names,
// and with the authorities of the system where Node's own do not know the certificate, as with providers of sign-ins.
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { isLoopback } from '../../config/values/host.ts'
import { tlsError } from '../../pop3/network/network-error.ts'
import { trustedBy, withTrust } from '../../pop3/network/trust.ts'
import { checkServerIdentity } from '../../server-identity.ts'

export interface Asked {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** Null: it was answered with 2xx. Else why not, in words. Never rejects. */
export async function requestFailure(asked: Asked): Promise<string | null> {
  const { url, signal } = asked
  const host = display(url.host, 100)
  try {
    const trust = { name: null, ca: null, pin: null, clientCert: null, clientKey: null }
    const status = await withTrust(trust, () => statusOf(asked))
    if (status >= 200 && status < 300) return null
    return `${host} answered ${status}${status >= 300 && status < 400 ? ', a redirect, which is not followed' : ''}`
  } catch (error) {
    // What is said of TLS names the host already.
    if (error instanceof PopfetchError) return error.message
    const why = error instanceof Error ? display(error.message, 300) : display(String(error), 300)
    return `asking ${host}: ${signal.aborted ? 'no answer in time' : (errnoOf(error) ?? why)}`
  }
}

/** Rejects with the system's error, or with ERR_TLS. */
async function statusOf({ method, url, headers, body, env, signal }: Asked): Promise<number> {
  const { Agent, request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  const agent = new Agent({ keepAlive: false, ...(isLoopback(url.hostname) ? {} : { proxyEnv: { ...env } }) })
  const length = body === null ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  try {
    return await new Promise<number>((resolve, reject) => {
      const asking = request(url, {
        agent,
        method,
        headers: { 'User-Agent': 'popfetch', ...headers, ...length },
        signal,
        checkServerIdentity,
        minVersion: 'TLSv1.2',
        ...trustedBy(null),
      })
      asking.once('error', (error) => {
        const isTls = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|ERR_SSL_)/.test(errnoOf(error) ?? '')
        reject(isTls ? tlsError(error, url.hostname, Number(url.port) || 443) : error)
      })
      asking.once('upgrade', ({ statusCode = 0 }, socket) => {
        socket.destroy()
        resolve(statusCode)
      })
      asking.once('response', (response) => {
        // What it says besides is not wanted, however long it is.
        response.once('error', () => {}).destroy()
        resolve(response.statusCode ?? 0)
      })
      asking.end(body ?? undefined)
    })
  } finally {
    agent.destroy()
  }
}
