// How a person signs in: which of the two flows it is, and what both have in common. The person sees only what `show` is given.
import { display } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'
import { Refused } from '../answers.ts'
import type { Granted } from '../granted.ts'
import type { Client } from '../oauth.ts'
import type { Provider } from '../provider.ts'

export interface Person {
  /** A line for the person, safe to print. */
  readonly show: (line: string) => void
  /** Opens a browser; null: there is no display, or none is wanted. */
  readonly openBrowser: ((address: string) => void) | null
  /** A line that the person pasted; null: nobody can. Rejects when the signal is given. */
  readonly paste: ((signal: AbortSignal) => Promise<string>) | null
  /** Aborted by the person, or when the time is over: then the reason is the error to tell. */
  readonly signal: AbortSignal
}

export interface SigningIn {
  readonly provider: Provider
  readonly user: string
  readonly person: Person
  /** For tests: waits so long. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** Device code where the provider gives it for mail, unless the configuration or the person says otherwise. */
export function flowOf(
  { flow }: Pick<Client, 'flow'>,
  provider: Provider,
  wanted: 'device' | 'browser' | null,
): 'device' | 'browser' {
  const hasDevice = provider.server.device_authorization_endpoint !== undefined
  const chosen = wanted ?? (flow === 'device' || flow === 'browser' ? flow : hasDevice ? 'device' : 'browser')
  if (chosen === 'device' && !hasDevice)
    throw unusable(`${provider.name} has no device flow for mail: use the browser (--browser)`)
  if (chosen === 'browser' && provider.server.authorization_endpoint === undefined) {
    throw unusable(`no authorizationEndpoint is known for ${provider.name}: use the device flow (--device), or set it`)
  }
  return chosen
}

function unusable(message: string): PopfetchError {
  return new PopfetchError('ERR_CONFIG', message, { scope: 'account', retry: 'never' })
}

/** What went wrong, told to whoever signs in. */
export function signInError(error: unknown, { provider, user, person }: SigningIn): unknown {
  // The reason says whether the person stopped it, or the time was over.
  if (person.signal.aborted) return person.signal.reason
  const doing = `signing in ${display(user)} at ${provider.name}`
  if (error instanceof Refused) return provider.refusal(error.refusal, doing, 'signing-in')
  if (!(error instanceof PopfetchError)) return error
  const { code, message, scope, retry, cause } = error
  return new PopfetchError(code, `${doing}: ${message}${provider.http.clockText}`, { scope, retry, cause })
}

/** A refresh token is what makes a sign-in last. */
export function lasting(granted: Granted, { provider, user }: SigningIn): Granted {
  if (granted.refreshToken !== null) return granted
  const text = `signing in ${display(user)} at ${provider.name}: it gave no refresh token, so the sign-in would end at once: allow offline access to the client (scope offline_access)`
  throw new PopfetchError('ERR_AUTH', text, { scope: 'account', retry: 'never' })
}
