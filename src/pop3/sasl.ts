// SASL mechanisms as small state machines (RFC 4422), and the choice between them. Pure: payloads in, payloads out.
// Adding a mechanism is one function and one line in `mechanisms`.
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import type { Capabilities } from './reply.ts'

/** How to sign in: a SASL mechanism, or USER and PASS (RFC 1939 §7). */
export type SignIn = 'plain' | 'login' | 'user'
export type SignInChoice = SignIn | 'auto'

export interface Credentials {
  readonly user: string
  readonly password: string
}

export interface Mechanism {
  /** As in `AUTH NAME`. */
  readonly name: string
  /** May go along with AUTH, when the line stays within 255 octets (RFC 5034 §4); null: the server speaks first. */
  readonly initial: Buffer | null
  /** How many messages of ours it takes at least; `+OK` before the last of them is no success (P063). */
  readonly messages: number
  /** The answer to a challenge; null: the challenge is not what this mechanism expects, cancel (P068, P069, P072). */
  answer(challenge: Buffer): Buffer | null
}

/** RFC 4616. The password is normalised to NFC, as SASLprep would; nothing is trimmed or quoted (P074, P075). */
function plain({ user, password }: Credentials): Mechanism {
  const message = Buffer.from(`\0${user.normalize('NFC')}\0${password.normalize('NFC')}`)
  let sent = false
  return {
    name: 'PLAIN',
    initial: message,
    messages: 1,
    answer(challenge) {
      // A server that asks something after PLAIN runs LOGIN under its name (P069): the password is not for it. One that
      // asks nothing has not looked at the initial response (P065): once more, then.
      if (sent || challenge.length > 0) return null
      sent = true
      return message
    },
  }
}

/** draft-murchison-sasl-login: user name, then password, whatever the prompts say. */
function login({ user, password }: Credentials): Mechanism {
  const answers = [Buffer.from(user), Buffer.from(password)]
  return { name: 'LOGIN', initial: null, messages: 2, answer: () => answers.shift() ?? null }
}

const mechanisms = { plain, login } as const

export function mechanism(signIn: Exclude<SignIn, 'user'>, credentials: Credentials): Mechanism {
  return mechanisms[signIn](credentials)
}

/** What to sign in with. `auto` takes the best that is offered and falls back to USER, which every server has unless it
 *  says otherwise. A mechanism asked for by name is used also when the list lacks it: the command's answer wins (P038),
 *  but a server that lists mechanisms and not this one is refused with ERR_MECHANISM (P070). */
export function chooseSignIn(choice: SignInChoice, capabilities: Capabilities): SignIn {
  if (choice === 'user') return 'user'
  if (choice !== 'auto') {
    if (capabilities.sasl.size > 0 && !capabilities.sasl.has(choice.toUpperCase())) {
      throw new PopfetchError(
        'ERR_MECHANISM',
        `the server does not offer the sign-in mechanism ${choice}; it offers ${display([...capabilities.sasl].join(', '))}: change auth`,
        { scope: 'account', retry: 'never' },
      )
    }
    return choice
  }
  if (capabilities.sasl.has('PLAIN')) return 'plain'
  if (capabilities.sasl.has('LOGIN')) return 'login'
  return 'user'
}
