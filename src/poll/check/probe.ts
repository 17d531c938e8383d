// Looks further after a session could not be opened: which other ports answer on that host, and whose certificate was not
// trusted. Sends no user, password or token, and takes a few seconds at most. For `popfetch check --verbose`.
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, errnoOf, type PopfetchError } from '../../errors.ts'
import { AnotherCertificate, type TlsFacts } from '../../pop3/network/tls-facts.ts'
import { connect, type ConnectContext } from '../sign-in/connect.ts'

const LONGEST_MS = 5000

/** Fits no certificate: a session with this pin ends when the certificate comes, before anything is sent. */
const NO_PIN = ['0'.repeat(64)]

export interface Endpoint {
  readonly port: number
  readonly tls: 'implicit' | 'starttls'
}

/** The ports and TLS modes, other than the account's own, at which a POP3 server answers under TLS. */
export async function otherEndpoints(account: Account, context: ConnectContext): Promise<readonly Endpoint[]> {
  const { port, tls } = account
  const places: readonly Endpoint[] = [
    { port, tls: 'implicit' },
    { port, tls: 'starttls' },
    { port: 995, tls: 'implicit' },
    { port: 110, tls: 'starttls' },
  ]
  const endpoints = places.filter(
    (endpoint, at) =>
      (endpoint.port !== port || endpoint.tls !== tls) &&
      places.findIndex((other) => other.port === endpoint.port && other.tls === endpoint.tls) === at,
  )
  const answers = await Promise.all(endpoints.map((endpoint) => answersAt(account, endpoint, context)))
  return endpoints.filter((_, at) => answers[at] === true)
}

async function answersAt(account: Account, endpoint: Endpoint, context: ConnectContext): Promise<boolean> {
  const failure = await attempt({ ...account, ...endpoint }, context)
  // A certificate that is not trusted still shows that a server with TLS is there.
  return failure === null || isAboutCertificate(failure)
}

/** The certificate the server shows, trusted or not; null: it shows none. */
export async function shownCertificate(account: Account, context: ConnectContext): Promise<TlsFacts | null> {
  const failure = await attempt({ ...account, ca: null, pin: NO_PIN }, context)
  return failure instanceof AnotherCertificate ? failure.facts : null
}

/** The codes of OpenSSL and Node for a wrong chain, date or name. */
const CERTIFICATE_CODE = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/

/** Was there TLS, with a certificate that is not trusted? False: there was no TLS at all, or another error. */
export function isAboutCertificate(error: PopfetchError): boolean {
  return error instanceof AnotherCertificate || CERTIFICATE_CODE.test(errnoOf(error.cause) ?? '')
}

async function attempt(account: Account, context: ConnectContext): Promise<PopfetchError | null> {
  const timeoutMs = Math.min(account.timeoutMs, LONGEST_MS)
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(LONGEST_MS)])
  try {
    await using session = await connect({ ...account, timeoutMs }, { ...context, signal })
    await session.quit()
    return null
  } catch (error) {
    return asPopfetchError(error)
  }
}
