// What follows from a client's configuration alone: to which provider its sign-ins belong, and which scopes it asks for. Pure.
// The one rule: a refresh token goes to no other provider than the one that gave it (`identityOf`).
import { SIGN_IN_PROVIDERS } from '../sign-in-providers.ts'
import type { Client, Use } from './oauth.ts'

/** Tells one provider and client from another: a sign-in belongs to it. */
export function identityOf({ provider, issuer, endpoints, tenant, clientId }: Client): string {
  const where = provider === null ? (issuer ?? endpoints.token ?? '') : `${provider} ${tenantOf({ provider, tenant })}`
  return `${where} ${clientId}`
}

/** '' where the provider has none. */
export function tenantOf({ provider, tenant }: Pick<Client, 'provider' | 'tenant'>): string {
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

/** All that is asked for when somebody signs in. `supported`: the scopes that the provider's metadata lists. */
export function scopesAsked(client: Client, supported: readonly string[]): readonly string[] {
  const beside = client.provider === null ? [] : (SIGN_IN_PROVIDERS[client.provider]?.beside ?? [])
  const own = client.uses.flatMap((use) => scopesFor(client, use))
  // A refresh token has to be asked for by name where the metadata lists it.
  const lasting = supported.includes('offline_access') ? ['offline_access'] : []
  const all = client.flow === 'client-credentials' ? own : [...own, ...lasting, ...beside]
  return [...new Set(all)]
}
