// The mechanisms that send an OAuth 2.0 access token: OAUTHBEARER (RFC 7628), and XOAUTH2, its forerunner at Google and
// Microsoft. A refusal comes as a challenge, which we must answer before the server sends `-ERR` (P067, refused tokens).
// Where the token comes from is not known here.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import {
  type Answer,
  type Credentials,
  misplaced,
  type SaslExchange,
  type SaslMechanism,
  secretIn,
} from './mechanism.ts'

/** Microsoft's largest tokens have 4 KiB; Dovecot reads lines of 8 KiB. Anything longer is the whole answer that a token came
 *  in, rather than a token (P066, long lines). */
const LONGEST_OCTETS = 12_288

/** RFC 6750 §2.1, b64token: the only characters allowed after "Bearer". Excludes \x01, which separates the fields. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

const advice = () => 'check user, and that the token is fresh, for this mailbox, and allows POP'

/** Ranked first: both Google and Microsoft have it.
 *  https://developers.google.com/workspace/gmail/imap/xoauth2-protocol */
export const xoauth2 = {
  kind: 'sasl',
  name: 'xoauth2',
  rank: 20,
  secret: 'token',
  withoutTls: 'reads the secret',
  advice,
  begin(credentials) {
    const { user, token } = checked(credentials)
    // No initial response: Exchange Online misreads it (P065).
    return bearer(`user=${user}\x01auth=Bearer ${token}\x01\x01`, Buffer.alloc(0))
  },
} as const satisfies SaslMechanism

export const oauthbearer = {
  kind: 'sasl',
  name: 'oauthbearer',
  rank: 10,
  secret: 'token',
  withoutTls: 'reads the secret',
  advice,
  begin(credentials, { host, port }) {
    const { user, token } = checked(credentials)
    const identity = user.replaceAll('=', '=3D').replaceAll(',', '=2C')
    const fields = [`n,a=${identity},`, `host=${host}`, `port=${port}`, `auth=Bearer ${token}`, '', '']
    return bearer(fields.join('\x01'), Buffer.from([1]))
  },
} as const satisfies SaslMechanism

/** `close`: our answer to the challenge that explains a refusal (RFC 7628 §3.2.3). */
function bearer(message: string, close: Buffer): SaslExchange {
  let sent = false
  let complaint: string | null = null
  return {
    initial: null,
    messages: 1,
    get complaint() {
      return complaint
    },
    answer(challenge): Answer {
      if (!sent) {
        sent = true
        return challenge.length === 0 ? Buffer.from(message) : misplaced
      }
      if (complaint !== null) return misplaced
      complaint = statusOf(challenge)
      return close
    },
  }
}

function checked(credentials: Credentials): { readonly user: string; readonly token: string } {
  const token = secretIn(credentials)
  if (token.length > LONGEST_OCTETS) {
    throw unusable(`it is ${token.length} octets long: is it a token, or the whole answer that a token came in?`)
  }
  if (!TOKEN.test(token)) throw unusable('it holds characters that no access token has: print nothing but the token')
  const user = credentials.user.normalize('NFC')
  if (user.includes('\x01')) throw unusable('the user name holds a control character: correct it')
  return { user, token }
}

function unusable(why: string): PopfetchError {
  return new PopfetchError('ERR_CONFIG', `cannot sign in with this token: ${why}`, { scope: 'account', retry: 'never' })
}

/** Only the status of the server's explanation: its other fields may repeat what we sent. */
function statusOf(challenge: Buffer): string {
  try {
    const explanation: unknown = JSON.parse(challenge.toString('utf8'))
    if (typeof explanation === 'object' && explanation !== null && 'status' in explanation) {
      return `status ${display(String(explanation.status), 40)}`
    }
  } catch {
    // Not JSON, but still a refusal: after a success the server sends no challenge.
  }
  return 'the server did not say why'
}
