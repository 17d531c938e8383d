// A request to an address that somebody configured to be told. One try, within a limit, without following it elsewhere: a header
// may hold a secret. The address itself may be one: no text has more of it than its host.
import { request as overHttp } from 'node:http'
import { request as overHttps } from 'node:https'
import { display } from '../../display.ts'
import { errnoOf } from '../../errors.ts'
import { trustedBy } from '../../pop3/network/trust.ts'

export interface Asked {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly signal: AbortSignal
}

/** Null: it was answered with 2xx. Else why not, in words. Never rejects. */
export function requestFailure({ method, url, headers, body, signal }: Asked): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const host = display(url.host, 100)
  try {
    const ask = url.protocol === 'https:' ? overHttps : overHttp
    const length = body === null ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
    const fields = { 'User-Agent': 'popfetch', ...headers, ...length }
    const asking = ask(url, { method, headers: fields, signal, ...trustedBy(null) })
    asking.once('error', (error) =>
      resolve(`asking ${host}: ${errnoOf(error) ?? (signal.aborted ? 'no answer in time' : display(error.message))}`),
    )
    asking.once('response', (response) => {
      const { statusCode = 0 } = response
      // What it says besides is not wanted.
      response.once('error', () => {}).destroy()
      resolve(statusCode >= 200 && statusCode < 300 ? null : `${host} answered ${statusCode}`)
    })
    asking.end(body ?? undefined)
  } catch (error) {
    // A header that cannot be sent.
    resolve(`asking ${host}: ${display(error instanceof Error ? error.message : String(error))}`)
  }
  return promise
}
