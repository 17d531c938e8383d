// Looking further after a session could not be opened: what else answers on that host, and whose certificate it was that could
// not be trusted. Sends no user, no password and no token, and stays a few seconds at most. For `popfetch check --verbose`.
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, errnoOf, type PopfetchError } from '../../errors.ts'
import { AnotherCertificate, type TlsFacts } from '../../pop3/network/tls-facts.ts'
import { connect, type ConnectContext } from '../sign-in/connect.ts'

const LONGEST_MS = 5000

/** The pin of no certificate: a session with it ends when the certificate is there, before anything was sent. */
const NO_PIN = '0'.repeat(64)

export interface Door {
  readonly port: number
  readonly tls: 'implicit' | 'starttls'
}

/** On which ports, and how, a POP3 server with TLS answers there; other than as the account says. */
export async function otherDoors(account: Account, context: ConnectContext): Promise<readonly Door[]> {
  const { port, tls } = account
  const places: readonly Door[] = [
    { port, tls: 'implicit' },
    { port, tls: 'starttls' },
    { port: 995, tls: 'implicit' },
    { port: 110, tls: 'starttls' },
  ]
  const doors = places.filter(
    (door, at) =>
      (door.port !== port || door.tls !== tls) &&
      places.findIndex((other) => other.port === door.port && other.tls === door.tls) === at,
  )
  const answers = await Promise.all(doors.map((door) => answersAt(account, door, context)))
  return doors.filter((_, at) => answers[at] === true)
}

async function answersAt(account: Account, door: Door, context: ConnectContext): Promise<boolean> {
  const failure = await attempt({ ...account, ...door }, context)
  // With a certificate that is another matter, a POP3 server under TLS stands there all the same.
  return failure === null || isAboutCertificate(failure)
}

/** The certificate the server shows, trusted or not; null: it shows none. */
export async function shownCertificate(account: Account, context: ConnectContext): Promise<TlsFacts | null> {
  const failure = await attempt({ ...account, ca: null, pin: NO_PIN }, context)
  return failure instanceof AnotherCertificate ? failure.facts : null
}

/** OpenSSL's and Node's codes for a chain, a date or a name that is not right. */
const CERTIFICATE_CODE = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/

/** Is it the certificate that could not be trusted, or no TLS at all? */
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
