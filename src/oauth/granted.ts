// What a provider gave, checked before anything is done with it. Tokens that no mail server would accept do not count. The ID
// token tells who signed in, and serves nothing else here.
import type { TokenEndpointResponse } from 'oauth4webapi'
import { display } from '../display.ts'
import { redactor } from '../redact.ts'
import { RequestFailure } from './request.ts'

/** As in POP3's own limit: what is longer is no token (P066, long lines). */
const LONGEST_TOKEN = 12_288
/** RFC 6750 §2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
const YEAR_S = 31_536_000

/** A provider's answer with tokens, checked, and every secret of it masked. */
export interface Granted {
  readonly accessToken: string
  /** Null: the provider gave none, the old one goes on. */
  readonly refreshToken: string | null
  readonly lifetimeMs: number
  /** How long the sign-in lasts; null: it did not say. */
  readonly signInLifetimeMs: number | null
  /** Who signed in, as the provider tells; null: it does not. */
  readonly person: string | null
}

/** Masks what is secret, and checks it. `person`: who signed in. Throws ERR_PROVIDER. */
export function grantedOf(answer: TokenEndpointResponse, client: string, person: string | null): Granted {
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: seconds, token_type: type } = answer
  redactor.add(accessToken, `an access token of ${client}`)
  if (refreshToken !== undefined) redactor.add(refreshToken, `a refresh token of ${client}`)
  if (type !== 'bearer') throw unusable(`a token of the type ${display(type, 40)}, which mail servers do not accept`)
  if (accessToken.length > LONGEST_TOKEN) {
    throw unusable(`an access token of ${accessToken.length} octets, which no mail server accepts`)
  }
  if (!TOKEN.test(accessToken)) throw unusable('an access token with characters that no token has')
  if (refreshToken !== undefined && refreshToken.length > LONGEST_TOKEN)
    throw unusable('a refresh token that is too long')
  // RFC 6749 §5.1 only recommends expires_in; an hour is what providers give.
  const lifetime = seconds === undefined ? 3600 : seconds
  const last = Number(answer['refresh_token_expires_in'] ?? Number.NaN)
  return {
    accessToken,
    refreshToken: refreshToken ?? null,
    lifetimeMs: Math.min(Math.max(lifetime, 0), YEAR_S) * 1000,
    signInLifetimeMs: Number.isFinite(last) && last > 0 ? Math.min(last, YEAR_S) * 1000 : null,
    person,
  }
}

/** The answer without its ID token, which is only looked at to tell who signed in. It came over TLS from the provider itself, so
 *  its signature says nothing more (OpenID Connect Core 3.1.3.7). And Microsoft's names an issuer of its own for each tenant. */
export async function takeIdToken(answer: Response): Promise<readonly [Response, string | null]> {
  if (answer.status !== 200) return [answer, null]
  const given: unknown = await answer
    .clone()
    .json()
    .catch(() => null)
  if (typeof given !== 'object' || given === null || !('id_token' in given)) return [answer, null]
  const { id_token: idToken, ...rest } = given
  if (typeof idToken === 'string') redactor.add(idToken, 'an ID token')
  const body = JSON.stringify(rest)
  return [new Response(body, { status: 200, headers: { 'content-type': 'application/json' } }), String(idToken)]
}

/** Null: it does not tell. */
export function personOf(idToken: string): string | null {
  try {
    const claims: unknown = JSON.parse(Buffer.from(idToken.split('.', 3)[1] ?? '', 'base64url').toString('utf8'))
    if (typeof claims !== 'object' || claims === null) return null
    const named = new Map(Object.entries(claims))
    const name: unknown = named.get('email') ?? named.get('preferred_username') ?? null
    return typeof name === 'string' && name !== '' && name.length <= 320 ? name : null
  } catch {
    return null
  }
}

/** The provider acted on the request, and what it gave cannot be used. */
export function unusable(what: string): RequestFailure {
  return new RequestFailure('ERR_PROVIDER', `the provider's answer cannot be used: ${what}`, {
    retry: 'later',
    harmless: false,
  })
}
