// What a provider's answer means, in words for a person: which of its refusals end a sign-in, which are the client's fault, and which
// pass by themselves. Pure. The one rule: nothing here ends a sign-in but an answer that says so in the words of RFC 6749.
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import { SIGN_IN_PROVIDERS } from '../sign-in-providers.ts'

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

export function meaningOf({ error }: Refusal): Meaning {
  return MEANINGS.get(error) ?? 'refused'
}

/** What Microsoft says by number: https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
const AADSTS: Readonly<Record<string, string>> = {
  50011:
    'the address http://localhost is not among the redirect addresses of the client: add it there, as "Mobile and desktop application"',
  50020:
    'this account does not belong to the tenant: set tenant: consumers for Outlook.com, or the tenant of the account',
  50034: 'there is no such account in this tenant',
  50053: 'the account is locked for a while after too many wrong passwords',
  50055: 'the password of the account has expired: change it',
  50057: 'the account is disabled: ask its administrator',
  50076: 'the organisation wants a second factor: sign in again',
  50079: 'the organisation wants a second factor to be set up: sign in again',
  50105: 'the account is not assigned to this client: ask its administrator',
  50173: 'the password was changed or the sign-ins were withdrawn: sign in again',
  50194: 'the client is for one tenant only: set tenant to it',
  53003: 'a rule of the organisation (Conditional Access) forbids it: ask its administrator',
  65001: 'the client has no consent: sign in again, or let an administrator consent',
  65004: 'the consent was declined',
  70008: 'the sign-in was not used for too long: sign in again',
  90002: 'there is no such tenant: check tenant',
  90094: 'an administrator has to consent to this client first',
  500011: 'the tenant does not know this service: check scopes and tenant',
  700016: 'the tenant does not know this client: check clientId and tenant',
  700024: 'the proof of the client is not valid at this time: set the clock of this machine',
  700027: 'the certificate of the client is not the one registered: check clientCertificate',
  700082: 'the sign-in was not used for 90 days: sign in again',
  7000215: 'the client secret is wrong: take its Value, not its ID',
  7000218: 'the client is no public one: switch "Allow public client flows" on, or set clientSecret',
  7000222: 'the client secret has expired: make a new one',
}

/** What was said, safe to print: `invalid_grant: Token has been revoked`, and Microsoft's numbers in words. */
export function saidText({ error, description }: Refusal): string {
  const number = /\bAADSTS(\d{4,8})\b/.exec(description ?? '')?.[1]
  const known = number === undefined ? undefined : AADSTS[number]
  if (known !== undefined) return `${display(error, 60)}, AADSTS${number}: ${known}`
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

/** The error for a refusal. Of one that ends the sign-in, `interrupted` tells that an earlier answer was lost. */
export function refusalError(
  refusal: Refusal,
  { doing, provider, clockText }: Asked,
  interrupted = false,
): PopfetchError {
  const said = saidText(refusal)
  const auth = (text: string): PopfetchError =>
    new PopfetchError('ERR_AUTH', `${doing}: ${text}${clockText}`, { scope: 'account', retry: 'never' })
  switch (meaningOf(refusal)) {
    case 'grant': {
      const likely =
        (provider === null ? null : SIGN_IN_PROVIDERS[provider]?.likely) ??
        'the password was changed, the access was withdrawn, or it was not used for long'
      const why = interrupted
        ? 'a renewal was interrupted before, and this provider ends a sign-in when the old refresh token comes again'
        : `likely: ${likely}`
      return auth(`the provider has ended the sign-in (${said}); ${why}: popfetch auth`)
    }
    case 'client':
      return auth(`the provider refuses the client (${said}): check clientId and clientSecret`)
    case 'person':
      return auth(`it was refused (${said})`)
    case 'refused':
      return auth(`the provider refuses it (${said}): check scopes, clientId and the permissions of the client`)
    case 'later':
      return new PopfetchError('ERR_CONNECT', `${doing}: the provider cannot now (${said}): trying again later`, {
        scope: 'account',
        retry: 'soon',
      })
  }
}
