// Sign-in with an OAuth 2.0 access token: OAUTHBEARER (RFC 7628), and XOAUTH2, its forerunner at Google and Microsoft. Pure.
// A refusal comes as a challenge, which is answered before the server says -ERR (P067). Where tokens come from is not known here.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { type Answer, type Credentials, type Mechanism, misplaced, type Peer, secretOf } from './mechanism.ts'

/** Microsoft's largest tokens have 4 KiB; Dovecot reads lines of 8 KiB. What is longer is no token, but a whole answer (P066). */
const LONGEST_OCTETS = 12_288

/** RFC 6750 §2.1, b64token: what can stand behind "Bearer". Keeps \x01 out, which separates the fields. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

/** https://developers.google.com/workspace/gmail/imap/xoauth2-protocol */
export function xoauth2(credentials: Credentials): Mechanism {
  const { user, token } = checked(credentials)
  // Two lines by default: Exchange Online misreads the initial response (P065).
  return bearer('XOAUTH2', `user=${user}\x01auth=Bearer ${token}\x01\x01`, Buffer.alloc(0))
}

export function oauthbearer(credentials: Credentials, { host, port }: Peer): Mechanism {
  const { user, token } = checked(credentials)
  const identity = user.replaceAll('=', '=3D').replaceAll(',', '=2C')
  const fields = [`n,a=${identity},`, `host=${host}`, `port=${port}`, `auth=Bearer ${token}`, '', '']
  return bearer('OAUTHBEARER', fields.join('\x01'), Buffer.from([1]))
}

/** `close`: what answers the challenge that explains a refusal (RFC 7628 §3.2.3). */
function bearer(name: string, message: string, close: Buffer): Mechanism {
  let sent = false
  let complaint: string | null = null
  return {
    name,
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
  const token = secretOf(credentials)
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

/** The one word of the explanation that says something; the rest may repeat what we sent. */
function statusOf(challenge: Buffer): string {
  try {
    const explanation: unknown = JSON.parse(challenge.toString('utf8'))
    if (typeof explanation === 'object' && explanation !== null && 'status' in explanation) {
      return `status ${display(String(explanation.status), 40)}`
    }
  } catch {
    // Not JSON: a refusal all the same, since success has no challenge.
  }
  return 'the server did not say why'
}
