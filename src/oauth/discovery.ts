// Where a provider's endpoints are: from the table, from the configuration, or from its metadata (RFC 8414, OpenID Discovery). The one
// rule: an address that is not https is none, whoever names it.
import * as oauth from 'oauth4webapi'
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import { SIGN_IN_PROVIDERS } from '../sign-in-providers.ts'
import { tenantOf } from './client.ts'
import type { FetchOptions, Http } from './http.ts'
import { checkedUrl, RequestFailure } from './request.ts'
import type { Client } from './oauth.ts'

/** Rejects with RequestFailure; with ERR_PROVIDER when the metadata is another's or names addresses that are not https. */
export async function endpointsOf(
  client: Client,
  http: Http,
  signal: AbortSignal | null,
): Promise<oauth.AuthorizationServer> {
  return metadataOf(client) ?? (await discover(client.issuer ?? '', http, signal))
}

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
      if (found.token_endpoint === undefined) throw new Error('there is no token_endpoint')
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
