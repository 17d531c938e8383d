// A client with a provider behind it: where its endpoints are, which scopes it asks for, how it proves who it is. The one door to
// oauth4webapi. The one rule: a refresh token goes to no other provider than the one that gave it (`identity`).
import { createPrivateKey, createHash, X509Certificate, type KeyObject } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import { redactor } from '../redact.ts'
import { SIGN_IN_PROVIDERS } from '../sign-in-providers.ts'
import { refusalError, type Refusal } from './answers.ts'
import { checkedUrl, type Http, RequestFailure, type FetchOptions } from './http.ts'
import type { Client, Use } from './oauth.ts'

/** As in POP3's own limit: what is longer is no token (P066, long lines). */
const LONGEST_TOKEN = 12_288
/** RFC 6750 §2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

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

/** A refusal in an answer of the provider, before it is known what it means for the sign-in. */
export class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super('the provider refused')
    this.refusal = refusal
  }
}

/** Tells one provider and client from another: a sign-in belongs to it. */
export function identityOf({ provider, issuer, endpoints, tenant, clientId }: Client): string {
  const where = provider === null ? (issuer ?? endpoints.token ?? '') : `${provider} ${tenantOf({ provider, tenant })}`
  return `${where} ${clientId}`
}

function tenantOf({ provider, tenant }: Pick<Client, 'provider' | 'tenant'>): string {
  return tenant ?? (provider === null ? '' : (SIGN_IN_PROVIDERS[provider]?.tenant ?? ''))
}

/** The scopes that `client` needs for this use. Never empty, but where the configuration says none and no provider is known. */
export function scopesFor({ provider, scopes, flow }: Client, use: Use): readonly string[] {
  if (scopes !== null) return scopes
  const known = provider === null ? undefined : SIGN_IN_PROVIDERS[provider]
  if (flow === 'client-credentials')
    return known?.application === undefined || known.application === null ? [] : [known.application]
  return known?.scopes[use] ?? []
}

/** All that is asked for when a person signs in. */
function scopesAsked(client: Client, metadata: oauth.AuthorizationServer): readonly string[] {
  const beside = client.provider === null ? [] : (SIGN_IN_PROVIDERS[client.provider]?.beside ?? [])
  const own = client.uses.flatMap((use) => scopesFor(client, use))
  // A refresh token has to be asked for by name where the metadata lists it.
  const lasting = metadata.scopes_supported?.includes('offline_access') === true ? ['offline_access'] : []
  const all = client.flow === 'client-credentials' ? own : [...own, ...lasting, ...beside]
  return [...new Set(all)]
}

export class Provider {
  readonly client: Client
  readonly http: Http
  readonly server: oauth.AuthorizationServer
  readonly scopes: readonly string[]
  readonly #own: oauth.Client

  private constructor(client: Client, http: Http, server: oauth.AuthorizationServer) {
    this.client = client
    this.http = http
    this.server = server
    this.scopes = scopesAsked(client, server)
    this.#own = { client_id: client.clientId }
  }

  /** Asks the issuer for its metadata where the endpoints are not known. Rejects with RequestFailure; with ERR_PROVIDER when the
   *  metadata is another's or names addresses that are not https. */
  static async open(client: Client, http: Http, signal: AbortSignal | null): Promise<Provider> {
    const known = metadataOf(client)
    return new Provider(client, http, known ?? (await discover(client.issuer ?? '', http, signal)))
  }

  get name(): string {
    return (
      (this.client.provider === null ? undefined : SIGN_IN_PROVIDERS[this.client.provider]?.name) ?? this.client.name
    )
  }

  /** The error for a refusal while `doing` something. */
  refusal(refusal: Refusal, doing: string, interrupted = false): PopfetchError {
    const { provider } = this.client
    return refusalError(refusal, { doing, provider, clockText: this.http.clockText }, interrupted)
  }

  /** Rejects with Refused, RequestFailure. Not ended by a signal: an answer on its way may have the only refresh token. */
  async refresh(refreshToken: string): Promise<Granted> {
    const auth = await this.#authentication()
    const parameters = this.client.provider === 'google' ? {} : { scope: this.scopes.join(' ') }
    const options = { ...this.#options(null), additionalParameters: withoutEmpty(parameters) }
    const response = oauth.refreshTokenGrantRequest(this.server, this.#own, auth, refreshToken, options)
    return await this.#granted(response, (answer) => oauth.processRefreshTokenResponse(this.server, this.#own, answer))
  }

  async clientCredentials(): Promise<Granted> {
    const auth = await this.#authentication()
    const response = oauth.clientCredentialsGrantRequest(
      this.server,
      this.#own,
      auth,
      withoutEmpty({ scope: this.scopes.join(' ') }),
      this.#options(null),
    )
    return await this.#granted(response, (answer) =>
      oauth.processClientCredentialsResponse(this.server, this.#own, answer),
    )
  }

  async beginDevice(signal: AbortSignal): Promise<oauth.DeviceAuthorizationResponse> {
    const auth = await this.#authentication()
    const parameters = withoutEmpty({ scope: this.scopes.join(' ') })
    const begun = oauth.deviceAuthorizationRequest(this.server, this.#own, auth, parameters, this.#options(signal))
    return await this.#answered(begun, (answer) =>
      oauth.processDeviceAuthorizationResponse(this.server, this.#own, answer),
    )
  }

  async askDevice(deviceCode: string, signal: AbortSignal): Promise<Granted> {
    const auth = await this.#authentication()
    const response = oauth.deviceCodeGrantRequest(this.server, this.#own, auth, deviceCode, this.#options(signal))
    return await this.#granted(response, (answer) => oauth.processDeviceCodeResponse(this.server, this.#own, answer))
  }

  /** The address for the browser, and how its answer is taken. */
  async authorization(redirectUri: string, user: string): Promise<Authorization> {
    const endpoint = checkedUrl(this.server.authorization_endpoint ?? '', 'the authorization endpoint')
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    redactor.add(verifier, 'a code verifier')
    const more = this.client.provider === null ? {} : (SIGN_IN_PROVIDERS[this.client.provider]?.parameters ?? {})
    const parameters = {
      client_id: this.client.clientId,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: this.scopes.join(' '),
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      ...(user.includes('@') ? { login_hint: user } : {}),
      ...(this.scopes.includes('offline_access') && this.client.provider === null ? { prompt: 'consent' } : {}),
      ...more,
    }
    for (const [key, value] of Object.entries(parameters)) if (value !== '') endpoint.searchParams.set(key, value)
    return {
      address: endpoint.href,
      finish: (answer, signal) => this.#finish(answer, { redirectUri, verifier, state, signal }),
    }
  }

  async #finish(answer: URLSearchParams, { redirectUri, verifier, state, signal }: Begun): Promise<Granted> {
    const code = answer.get('code')
    if (code !== null) redactor.add(code, 'an authorization code')
    let checked: URLSearchParams
    try {
      checked = oauth.validateAuthResponse(this.server, this.#own, answer, state)
    } catch (error) {
      if (error instanceof oauth.AuthorizationResponseError) {
        throw new Refused({ error: error.error, description: error.error_description ?? null })
      }
      throw new WrongAnswer(answerFault(answer, state))
    }
    const auth = await this.#authentication()
    const response = oauth.authorizationCodeGrantRequest(
      this.server,
      this.#own,
      auth,
      checked,
      redirectUri,
      verifier,
      this.#options(signal),
    )
    return await this.#granted(response, (given) =>
      oauth.processAuthorizationCodeResponse(this.server, this.#own, given),
    )
  }

  /** Asks the provider to end the sign-in. False: it has no address for that. Rejects with RequestFailure, Refused. */
  async revoke(token: string, signal: AbortSignal): Promise<boolean> {
    if (this.server.revocation_endpoint === undefined) return false
    const auth = await this.#authentication()
    const fetch = (url: string, init: FetchOptions): Promise<Response> => this.http.fetch(url, init, signal, true)
    const options = { ...this.#options(signal), [oauth.customFetch]: fetch }
    const response = oauth.revocationRequest(this.server, this.#own, auth, token, options)
    await this.#answered(response, async (answer) => await oauth.processRevocationResponse(answer))
    return true
  }

  #options(signal: AbortSignal | null) {
    const fetch = (url: string, init: FetchOptions): Promise<Response> => this.http.fetch(url, init, signal)
    return { [oauth.customFetch]: fetch, [oauth.allowInsecureRequests]: true }
  }

  async #authentication(): Promise<oauth.ClientAuth> {
    const { clientSecret, certificate } = this.client
    if (certificate !== null) return await certificateAuth(await certificate())
    if (clientSecret === null) return oauth.None()
    const secret = await clientSecret()
    const methods = this.server.token_endpoint_auth_methods_supported
    // RFC 8414: where nothing is listed it is basic. All providers of the table take post, and Google names both.
    const isBasic =
      this.client.provider === null && methods?.includes('client_secret_post') !== true && methods !== undefined
    return isBasic ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret)
  }

  async #granted(
    response: Promise<Response>,
    process: (answer: Response) => Promise<oauth.TokenEndpointResponse>,
  ): Promise<Granted> {
    let person: string | null = null
    const without = async (): Promise<Response> => {
      const answer = await response
      const [rest, idToken] = await takeIdToken(answer)
      person = idToken === null ? null : personOf(idToken)
      return rest
    }
    const answer = await this.#answered(without(), process)
    const { access_token: accessToken, refresh_token: refreshToken, expires_in: seconds } = answer
    redactor.add(accessToken, `an access token of ${this.client.name}`)
    if (refreshToken !== undefined) redactor.add(refreshToken, `a refresh token of ${this.client.name}`)
    if (answer.token_type !== 'bearer')
      throw wrong(`a token of the type ${display(answer.token_type, 40)}, which mail servers do not take`)
    if (accessToken.length > LONGEST_TOKEN)
      throw wrong(`an access token of ${accessToken.length} octets, which no mail server takes`)
    if (!TOKEN.test(accessToken)) throw wrong('an access token with characters that no token has')
    if (refreshToken !== undefined && refreshToken.length > LONGEST_TOKEN)
      throw wrong('a refresh token that is too long')
    // RFC 6749 §5.1 recommends expires_in; an hour is what providers give.
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

  /** The library's errors as ours: its messages name what is amiss, never a value. */
  async #answered<T>(response: Promise<Response>, process: (answer: Response) => Promise<T>): Promise<T> {
    try {
      return await process(await response)
    } catch (error) {
      if (error instanceof PopfetchError) throw error
      if (error instanceof oauth.ResponseBodyError) {
        const { error: name, error_description: description } = error
        throw new Refused({ error: name, description: typeof description === 'string' ? description : null })
      }
      throw wrong(error instanceof Error ? display(error.message, 160) : 'an answer that cannot be read')
    }
  }
}

export interface Authorization {
  readonly address: string
  /** Takes the parameters with which the browser came back. Rejects with WrongAnswer when they are not the answer to `address`,
   *  with Refused, with RequestFailure. */
  finish(answer: URLSearchParams, signal: AbortSignal): Promise<Granted>
}

interface Begun {
  readonly redirectUri: string
  readonly verifier: string
  readonly state: string
  readonly signal: AbortSignal
}

/** What came back does not belong to what was asked: another one may still come. */
export class WrongAnswer extends Error {}

function answerFault(answer: URLSearchParams, state: string): string {
  if (answer.get('state') !== state) return 'its state is not the one of this sign-in: it belongs to another one'
  if (answer.get('iss') !== null) return 'it comes from another provider than the one that was asked'
  return 'there is neither a code nor an error in it'
}

const YEAR_S = 31_536_000

function metadataOf({ provider, issuer, endpoints, tenant }: Client): oauth.AuthorizationServer | null {
  const known = provider === null ? undefined : SIGN_IN_PROVIDERS[provider]
  if (known !== undefined) {
    const at = (text: string): string => text.replace('{tenant}', encodeURIComponent(tenantOf({ provider, tenant })))
    return {
      issuer: at(known.issuer),
      authorization_endpoint: at(known.authorization),
      token_endpoint: at(known.token),
      ...(known.device === null ? {} : { device_authorization_endpoint: at(known.device) }),
      ...(known.revocation === null ? {} : { revocation_endpoint: known.revocation }),
    }
  }
  if (endpoints.token === null && issuer !== null) return null
  return {
    issuer: issuer ?? new URL(endpoints.token ?? 'https://none.invalid').origin,
    ...(endpoints.authorization === null ? {} : { authorization_endpoint: endpoints.authorization }),
    ...(endpoints.token === null ? {} : { token_endpoint: endpoints.token }),
    ...(endpoints.device === null ? {} : { device_authorization_endpoint: endpoints.device }),
    ...(endpoints.revocation === null ? {} : { revocation_endpoint: endpoints.revocation }),
  }
}

const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'device_authorization_endpoint',
  'revocation_endpoint',
] as const

async function discover(issuer: string, http: Http, signal: AbortSignal | null): Promise<oauth.AuthorizationServer> {
  const url = checkedUrl(issuer, 'the issuer')
  const fetch = (href: string, init: FetchOptions): Promise<Response> => http.fetch(href, init, signal)
  let failure: unknown = null
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    try {
      const options = { algorithm, [oauth.customFetch]: fetch, [oauth.allowInsecureRequests]: true }
      const found = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options))
      for (const key of ENDPOINTS) {
        const endpoint: unknown = found[key]
        if (endpoint !== undefined)
          checkedUrl(typeof endpoint === 'string' ? endpoint : '', `the ${key} of ${display(issuer)}`)
      }
      if (found.token_endpoint === undefined) throw wrong('metadata without a token_endpoint')
      return found
    } catch (error) {
      // What cannot be reached is not asked a second time.
      if (error instanceof PopfetchError && error.code !== 'ERR_PROVIDER') throw error
      failure ??= error
    }
  }
  if (failure instanceof PopfetchError) throw failure
  const why =
    failure instanceof Error && /issuer/.test(failure.message)
      ? 'its metadata is that of another issuer'
      : 'it has no metadata that can be read'
  throw new RequestFailure('ERR_PROVIDER', `asking ${display(issuer)} for its endpoints: ${why}: check issuer`, {
    retry: 'later',
    harmless: true,
  })
}

/** The answer without its ID token, which is only looked at to tell who signed in. It came over TLS from the provider itself, so
 *  its signature says nothing more (OpenID Connect Core 3.1.3.7); and Microsoft's names an issuer of its own for each tenant. */
async function takeIdToken(answer: Response): Promise<readonly [Response, string | null]> {
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

function personOf(idToken: string): string | null {
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

async function certificateAuth({ certificate, key }: { certificate: string; key: string }): Promise<oauth.ClientAuth> {
  let owned: X509Certificate
  let secret: KeyObject
  try {
    owned = new X509Certificate(certificate)
    secret = createPrivateKey(key)
    if (!owned.checkPrivateKey(secret)) throw new Error('they do not belong together')
  } catch (cause) {
    const why = cause instanceof Error ? display(cause.message) : 'unknown reason'
    throw new PopfetchError('ERR_CONFIG', `cannot use clientCertificate and clientKey: ${why}`, {
      scope: 'account',
      retry: 'never',
      cause,
    })
  }
  const isRsa = secret.asymmetricKeyType === 'rsa'
  const algorithm = isRsa ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : { name: 'ECDSA', namedCurve: 'P-256' }
  const bytes = secret.export({ format: 'der', type: 'pkcs8' })
  const imported = await crypto.subtle.importKey('pkcs8', new Uint8Array(bytes), algorithm, false, ['sign'])
  const thumbprint = createHash('sha256').update(owned.raw).digest('base64url')
  return oauth.PrivateKeyJwt(imported, {
    [oauth.modifyAssertion]: (header) => {
      // Microsoft knows the certificate by it: https://learn.microsoft.com/entra/identity-platform/certificate-credentials
      header['x5t#S256'] = thumbprint
    },
  })
}

function withoutEmpty(parameters: Readonly<Record<string, string>>): URLSearchParams {
  return new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''))
}

/** The provider acted on the request, and what it gave cannot be used. */
function wrong(what: string): RequestFailure {
  return new RequestFailure('ERR_PROVIDER', `the provider's answer cannot be used: ${what}`, {
    retry: 'later',
    harmless: false,
  })
}
