// A provider, as a client speaks to it. Each request of OAuth 2.0 that popfetch makes, by oauth4webapi, which knows the
// protocol and checks the answers. Nothing is kept here, and nothing is decided except whether an answer is valid.
import * as oauth from 'oauth4webapi'
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import { redactor } from '../redact.ts'
import { SIGN_IN_PROVIDERS } from '../sign-in-providers.ts'
import { type Occasion, refusalError, Refused, type Refusal } from './answers.ts'
import { certificateAuth, type Proof } from './certificate.ts'
import { scopesAsked } from './client.ts'
import { endpointsOf } from './discovery.ts'
import { type Granted, grantedOf, personOf, takeIdToken, unusable } from './granted.ts'
import type { FetchOptions, Http } from './http.ts'
import { checkedUrl } from './request.ts'
import type { Client } from './oauth.ts'

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
    this.scopes = scopesAsked(client, server.scopes_supported ?? [])
    this.#own = { client_id: client.clientId }
  }

  /** Asks the issuer for its metadata where the endpoints are not known. Rejects with RequestFailure; with ERR_PROVIDER when the
   *  metadata is another's or names addresses that are not https. */
  static async open(client: Client, http: Http, signal: AbortSignal | null): Promise<Provider> {
    return new Provider(client, http, await endpointsOf(client, http, signal))
  }

  get name(): string {
    return (
      (this.client.provider === null ? undefined : SIGN_IN_PROVIDERS[this.client.provider]?.name) ?? this.client.name
    )
  }

  /** The error for a refusal while `doing` something. */
  refusal(refusal: Refusal, doing: string, occasion: Occasion): PopfetchError {
    const { provider } = this.client
    return refusalError(refusal, { doing, provider, clockText: this.http.clockText }, occasion)
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
    if (certificate !== null) return await certificateAuth(await certificate(), this.#proof())
    if (clientSecret === null) return oauth.None()
    const secret = await clientSecret()
    const methods = this.server.token_endpoint_auth_methods_supported
    // RFC 8414: where nothing is listed it is basic. All providers of the table take post, and Google names both.
    const isBasic =
      this.client.provider === null && methods?.includes('client_secret_post') !== true && methods !== undefined
    return isBasic ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret)
  }

  /** Microsoft wants the token endpoint as audience, and PS256. */
  #proof(): Proof {
    const { token_endpoint: audience = null, token_endpoint_auth_signing_alg_values_supported: listed } = this.server
    if (this.client.provider !== null) return { audience, rsa: 'PS256' }
    const isPss = listed?.includes('PS256') === true && !listed.includes('RS256')
    return { audience: null, rsa: isPss ? 'PS256' : 'RS256' }
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
    return grantedOf(answer, this.client.name, person)
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
      throw unusable(error instanceof Error ? display(error.message, 160) : 'an answer that cannot be read')
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

function withoutEmpty(parameters: Readonly<Record<string, string>>): URLSearchParams {
  return new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''))
}
