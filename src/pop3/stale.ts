// Signing in by what a server said another day: was it that which went wrong? Only facts for who opens the next session; no
// second attempt is made in this one, since some servers count (P052).
import { asPopfetchError, PopfetchError } from '../errors.ts'
import type { Credentials } from './sign-in/mechanism.ts'
import type { Capabilities } from './wire/reply.ts'
import { chooseSignIn, type SignIn, type SignInChoice } from './sign-in/sasl.ts'

/** What the server offers has changed since: nothing is known about the password. */
export class StaleCapabilities extends PopfetchError {
  override readonly name: string = 'StaleCapabilities'

  constructor(cause: unknown) {
    super('ERR_MECHANISM', 'the server does not offer what it did: asking it anew helps', {
      scope: 'account',
      retry: 'soon',
      cause,
    })
  }
}

export interface Attempt {
  /** What was tried by the old list; null: it held nothing that may be tried. */
  readonly signIn: SignIn | null
  readonly choice: SignInChoice
  readonly credentials: Credentials
}

/** What the failure of an attempt means: StaleCapabilities, if by the list of today it would have been another one, else
 *  `failure` itself. `ask`: for that list. */
export async function meaningOf(
  failure: unknown,
  { signIn, choice, credentials }: Attempt,
  ask: () => Promise<Capabilities>,
): Promise<unknown> {
  const { code } = asPopfetchError(failure)
  if (code !== 'ERR_AUTH' && code !== 'ERR_MECHANISM') return failure
  if (signIn === null) return new StaleCapabilities(failure)
  // A server that ends the session after a refusal has refused what it knows.
  const today = await ask().catch(() => null)
  return today === null || chosenBy(today) === signIn ? failure : new StaleCapabilities(failure)

  function chosenBy(capabilities: Capabilities): SignIn | null {
    try {
      return chooseSignIn(choice, capabilities, credentials)
    } catch {
      return null
    }
  }
}
