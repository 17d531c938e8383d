// The mechanisms by which a session may sign in, and the choice between them. Pure.
// Adding a mechanism is one function and one line in `mechanisms`; what one is: mechanism.ts.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { oauthbearer, xoauth2 } from './oauth.ts'
import { cramMd5 } from './md5.ts'
import { type Credentials, type Mechanism, misplaced, opaqueString, type Peer, secretOf } from './mechanism.ts'
import type { Capabilities } from '../wire/reply.ts'
import { scram } from './scram.ts'

/** RFC 4616. Nothing is trimmed or quoted (P074). */
function plain(credentials: Credentials): Mechanism {
  const message = Buffer.from(`\0${credentials.user.normalize('NFC')}\0${opaqueString(secretOf(credentials))}`)
  let sent = false
  return {
    name: 'PLAIN',
    initial: message,
    messages: 1,
    complaint: null,
    answer(challenge) {
      // A server that asks something after PLAIN runs LOGIN under its name (P069): the password is not for it. One that
      // asks nothing has not looked at the initial response (P065): once more, then.
      if (sent || challenge.length > 0) return misplaced
      sent = true
      return message
    },
  }
}

/** draft-murchison-sasl-login: user name, then password, whatever the prompts say. */
function login(credentials: Credentials): Mechanism {
  const answers = [credentials.user, secretOf(credentials)].map((text) => Buffer.from(text.normalize('NFC')))
  return { name: 'LOGIN', initial: null, messages: 2, complaint: null, answer: () => answers.shift() ?? misplaced }
}

const mechanisms = {
  'scram-sha-256': (credentials: Credentials) => scram('sha256', credentials),
  'scram-sha-1': (credentials: Credentials) => scram('sha1', credentials),
  plain,
  login,
  'cram-md5': cramMd5,
  xoauth2,
  oauthbearer,
} as const

export type SaslName = keyof typeof mechanisms

/** How to sign in: a SASL mechanism, USER and PASS, or APOP (RFC 1939 §7). */
export type SignIn = SaslName | 'user' | 'apop'
export type SignInChoice = SignIn | 'auto'

/** Throws ERR_CONFIG for a secret that it cannot carry. */
export function mechanism(name: SaslName, credentials: Credentials, peer: Peer): Mechanism {
  return mechanisms[name](credentials, peer)
}

/** What `auto` prefers. CRAM-MD5 and APOP are not worth their name any more: only who asks for them gets them (P028, P070).
 *  Of the two for tokens the one that Google and Microsoft both have. */
const PREFERRED = {
  password: ['scram-sha-256', 'scram-sha-1', 'plain', 'login'],
  token: ['xoauth2', 'oauthbearer'],
} as const

/** What to sign in with. `auto` takes the best that is offered and falls back to USER, which every server has unless it
 *  says otherwise. What was asked for by name is used also when nothing is listed: the command's answer wins (P038),
 *  but a server that lists mechanisms and not this one is refused with ERR_MECHANISM (P070). */
export function chooseSignIn(choice: SignInChoice, capabilities: Capabilities, credentials: Credentials): SignIn {
  const { sasl } = capabilities
  if (choice !== 'auto') {
    if (choice === 'user' || choice === 'apop' || sasl.size === 0 || sasl.has(choice.toUpperCase())) return choice
    throw notOffered(choice, sasl)
  }
  const preferred = 'token' in credentials ? PREFERRED.token : PREFERRED.password
  const best = preferred.find((name) => sasl.has(name.toUpperCase()))
  if (best !== undefined) return best
  if (!('token' in credentials)) return 'user'
  if (sasl.size === 0) return 'xoauth2'
  throw notOffered('xoauth2', sasl)
}

function notOffered(name: string, sasl: ReadonlySet<string>): PopfetchError {
  return new PopfetchError(
    'ERR_MECHANISM',
    `the server does not offer the sign-in mechanism ${name}; it offers ${display([...sasl].join(', '))}: change auth`,
    { scope: 'account', retry: 'never' },
  )
}
