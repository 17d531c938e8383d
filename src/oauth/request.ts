// To which addresses a provider is asked, and what a request without an answer means. Apart from the requests themselves: a
// configuration is checked without them.
import { display } from '../display.ts'
import { type ErrorCode, PopfetchError, type Retry } from '../errors.ts'

/** A request that brought no answer to look at. */
export class RequestFailure extends PopfetchError {
  override readonly name = 'RequestFailure'
  /** The provider cannot have acted on it: nothing was sent, or it refused to look. */
  readonly harmless: boolean

  constructor(
    code: ErrorCode,
    message: string,
    facts: { retry: Retry; harmless: boolean; pauseMs?: number; cause?: unknown },
  ) {
    super(code, message, { scope: 'account', retry: facts.retry, pauseMs: facts.pauseMs ?? 0, cause: facts.cause })
    this.harmless = facts.harmless
  }
}

/** What came is no answer. `harmless`: see RequestFailure. */
export function noAnswer(message: string, harmless: boolean): RequestFailure {
  return new RequestFailure('ERR_PROVIDER', message, { retry: 'later', harmless })
}

/** An address of a provider: https, or http on this machine. Throws ERR_PROVIDER, which calls it `what`. */
export function checkedUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || url.username !== '' || url.password !== '') {
    throw noAnswer(`${what} ${display(text)} is not one that can be used`, true)
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw noAnswer(`${what} ${display(text)} is not https: nothing is sent there`, true)
  }
  return url
}

/** The name of this machine as the URL class writes it. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
}
