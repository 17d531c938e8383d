// What a provider's answer means, in words for a person. Some refusals end a sign-in, some are the client's fault, and some
// pass by themselves. Pure. The one rule: nothing here ends a sign-in but an answer that says so in the words of RFC 6749.
// Microsoft's numbers are in aadsts.ts.
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import { SIGN_IN_PROVIDERS } from '../sign-in-providers.ts'
import { aadstsOf, aadstsText, isTransient } from './aadsts.ts'

/** `grant`: somebody has to sign in again. `client`: the client is to be mended in the configuration, or at the provider. `refused`:
 *  asking the same again may be answered otherwise. `person`: the person said no. `later`: the provider cannot now. */
export type Meaning = 'grant' | 'client' | 'refused' | 'person' | 'later'

const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ['invalid_grant', 'grant'],
  ['interaction_required', 'grant'],
  ['consent_required', 'grant'],
  ['login_required', 'grant'],
  ['invalid_client', 'client'],
  ['unauthorized_client', 'client'],
  ['deleted_client', 'client'],
  ['disabled_client', 'client'],
  ['access_denied', 'person'],
  ['temporarily_unavailable', 'later'],
  ['server_error', 'later'],
  ['slow_down', 'later'],
])

/** An error that a provider gave in JSON, or in the address to which it sent the browser. */
export interface Refusal {
  readonly error: string
  readonly description: string | null
}

/** A refusal in an answer of the provider, before it is known what it means for the sign-in. */
export class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super('the provider refused')
    this.refusal = refusal
  }
}

export function meaningOf({ error, description }: Refusal): Meaning {
  const number = aadstsOf(description)
  if (number !== null && isTransient(number)) return 'later'
  return MEANINGS.get(error) ?? 'refused'
}

/** What was said, safe to print: `invalid_grant: Token has been revoked`, and Microsoft's numbers in words. */
export function saidText({ error, description }: Refusal): string {
  const number = aadstsOf(description)
  const known = number === null ? null : aadstsText(number)
  if (known !== null) return `${display(error, 60)}, AADSTS${number}: ${known}`
  // Microsoft's description goes on with trace numbers in further lines.
  const [line = ''] = (description ?? '').trim().split(/[\r\n]/, 1)
  return line === '' ? display(error, 60) : `${display(error, 60)}: ${display(line, 160)}`
}

export interface Asked {
  /** "renewing the sign-in of alice@example.org by google" */
  readonly doing: string
  readonly provider: string | null
  readonly clockText: string
}

/** `signing-in`: somebody waits for it. `renewing`, `interrupted`: a sign-in that is kept; an earlier answer was lost. */
export type Occasion = 'signing-in' | 'renewing' | 'interrupted'

/** The error for a refusal. */
export function refusalError(
  refusal: Refusal,
  { doing, provider, clockText }: Asked,
  occasion: Occasion,
): PopfetchError {
  const said = saidText(refusal)
  const number = aadstsOf(refusal.description)
  // Microsoft's number says what is wrong, so nothing is guessed.
  const isKnown = number !== null && aadstsText(number) !== null
  const guessed = (guess: string): string => (isKnown ? '' : guess)
  const auth = (text: string): PopfetchError =>
    new PopfetchError('ERR_AUTH', `${doing}: ${text}${clockText}`, { scope: 'account', retry: 'never' })
  switch (meaningOf(refusal)) {
    case 'grant': {
      if (occasion === 'signing-in') return auth(`the provider refuses it (${said})${guessed(': start again')}`)
      const likely =
        (provider === null ? null : SIGN_IN_PROVIDERS[provider]?.likely) ??
        'the password was changed, the access was withdrawn, or it was not used for long'
      const why =
        occasion === 'interrupted'
          ? '; a renewal was interrupted before, and this provider ends a sign-in when the old refresh token comes again'
          : guessed(`; likely: ${likely}`)
      return auth(`the provider has ended the sign-in (${said})${why}: popfetch auth`)
    }
    case 'client': {
      const mend = guessed(': check clientId and clientSecret')
      return auth(
        `the provider refuses the client (${said})${mend}; once that is corrected at the provider: popfetch auth`,
      )
    }
    case 'person':
      return auth(`it was refused (${said})`)
    case 'refused':
      return auth(
        `the provider refuses it (${said})${guessed(': check scopes, clientId and the permissions of the client')}`,
      )
    case 'later':
      return new PopfetchError(
        'ERR_CONNECT',
        `${doing}: the provider cannot answer now (${said}): trying again later`,
        {
          scope: 'account',
          retry: 'soon',
        },
      )
  }
}
