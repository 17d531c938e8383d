// The clients under which popfetch signs in at providers (`oauth:`): their keys, and what does not go together. The sign-ins that
// they lead to are in sign-ins.ts.
import * as z from 'zod'
import { checkedUrl } from '../../oauth/request.ts'
import { SIGN_IN_PROVIDERS } from '../../sign-in-providers.ts'
import type { Problem } from '../problem.ts'
import type { StateKeys } from '../state/keys.ts'
import { sourceKeys } from '../values/secret.ts'
import * as value from '../values/values.ts'
import type { Conflict, Frozen, Written } from '../values/written.ts'

const PROVIDERS = Object.keys(SIGN_IN_PROVIDERS)

/** https, or http on this machine. */
const address = value.parsed('an https:// address', (text) => {
  try {
    return checkedUrl(text, '').href
  } catch {
    return null
  }
})

/** As it was written: an issuer is compared letter by letter. */
const issuer = value.parsed('an https:// address', (text) => {
  try {
    checkedUrl(text, '')
    return text
  } catch {
    return null
  }
})

const day = value.parsed(
  'a date such as 2027-03-31',
  (text) => {
    const ms = Date.parse(`${text}T00:00:00Z`)
    return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text ? null : ms
  },
  /^\d{4}-\d{2}-\d{2}$/,
)

const tenant = value.parsed(
  'a tenant: common, consumers, organizations, a domain or an id',
  (text) => text,
  /^[A-Za-z0-9.-]{1,100}$/,
)

const word = value.parsed('a word without spaces', (text) => text, /^[\x21\x23-\x5b\x5d-\x7e]{1,500}$/)

export const oauthClient = value.once((resolve) =>
  value.mapping({
    provider: value
      .orNull(z.enum(PROVIDERS as [string, ...string[]], { error: `one of ${PROVIDERS.join(', ')}` }))
      .describe('A provider known to popfetch'),
    issuer: value
      .orNull(issuer)
      .describe('Address of another provider that publishes its endpoints (RFC 8414, OpenID)'),
    authorizationEndpoint: value
      .orNull(address)
      .describe('Authorization endpoint of a provider that publishes nothing'),
    tokenEndpoint: value.orNull(address).describe('Token endpoint'),
    deviceEndpoint: value.orNull(address).describe('Device authorization endpoint (RFC 8628)'),
    revocationEndpoint: value.orNull(address).describe('Revocation endpoint (RFC 7009)'),
    clientId: word.describe('Client ID registered with the provider'),
    clientSecret: value
      .orNull(value.secret(resolve))
      .describe('Client secret, or where to read it; many clients have none'),
    clientSecretExpires: value.orNull(day).describe('Date on which the secret expires; popfetch warns 14 days before'),
    clientCertificate: value
      .orNull(value.filePath(resolve))
      .describe('PEM file with a certificate to use instead of a secret'),
    clientKey: value.orNull(value.filePath(resolve)).describe('PEM file with the key of that certificate'),
    tenant: value
      .orNull(tenant)
      .describe('For microsoft: common (default), consumers, organizations, a domain or an ID'),
    scopes: value
      .orNull(z.array(word, { error: 'a list of scopes' }).min(1, { error: 'at least one scope' }))
      .describe('Scopes to request; by default what the accounts and destinations that use the client need'),
    flow: z
      .enum(['auto', 'device', 'browser', 'client-credentials'], {
        error: 'auto, device, browser or client-credentials',
      })
      .default('auto')
      .describe('How to sign in; client-credentials needs no person, but an administrator’s consent'),
    redirectPort: value.orNull(value.port).describe('Local port for the browser’s redirect; by default any free one'),
  }),
)

export type OAuthClient = Frozen<z.output<ReturnType<typeof oauthClient>>>

const ENDPOINTS = ['authorizationEndpoint', 'tokenEndpoint', 'deviceEndpoint', 'revocationEndpoint'] as const
/** Tenants of Microsoft that are not one organisation's. */
const SHARED_TENANTS: ReadonlySet<unknown> = new Set([undefined, 'common', 'consumers', 'organizations'])

/** Sign-ins in a database are sealed, with a key that is not there. */
export function missingKey({ postgres }: Pick<StateKeys, 'postgres'>): readonly Problem[] {
  if (postgres === null || postgres.key !== null) return []
  const expected =
    'a key, because of oauth: it seals the sign-ins in the database, such as { file: state.key } with what openssl rand -hex 32 prints'
  return [{ path: ['state', 'key'], at: 'value', found: 'nothing', expected }]
}

/** The keys that cannot be combined. */
export function oauthConflicts(written: Written): readonly Conflict[] {
  const { provider, issuer: named, tokenEndpoint, clientCertificate, clientKey, clientSecret, flow, scopes } = written
  const conflicts: Conflict[] = []
  const ways = [provider, named, tokenEndpoint].filter((way) => way !== undefined).length
  if (ways === 0) conflicts.push({ key: 'provider', expected: 'a provider, an issuer or a tokenEndpoint' })
  if (provider !== undefined) {
    for (const key of ['issuer', ...ENDPOINTS]) {
      if (written[key] !== undefined) conflicts.push({ key, expected: 'no such key beside provider' })
    }
  }
  if (named !== undefined && ENDPOINTS.some((key) => written[key] !== undefined) && tokenEndpoint === undefined) {
    conflicts.push({ key: 'issuer', expected: 'a tokenEndpoint beside other endpoints, or none of them' })
  }
  if (clientCertificate !== undefined && clientKey === undefined) {
    conflicts.push({ key: 'clientCertificate', expected: 'a clientKey with it' })
  }
  if (clientKey !== undefined && clientCertificate === undefined) {
    conflicts.push({ key: 'clientKey', expected: 'a clientCertificate with it' })
  }
  if (clientSecret !== undefined && clientCertificate !== undefined) {
    conflicts.push({ key: 'clientCertificate', expected: 'no clientSecret beside it' })
  }
  if (written['clientSecretExpires'] !== undefined && clientSecret === undefined) {
    conflicts.push({ key: 'clientSecretExpires', expected: 'a clientSecret with it' })
  }
  if (written['tenant'] !== undefined && provider !== 'microsoft') {
    conflicts.push({ key: 'tenant', expected: 'no such key but for provider: microsoft' })
  }
  if (provider === undefined && ways > 0 && scopes === undefined) {
    conflicts.push({ key: 'scopes', expected: 'scopes, for popfetch does not know this provider' })
  }
  if (flow === 'client-credentials') {
    if (clientSecret === undefined && clientCertificate === undefined) {
      conflicts.push({ key: 'flow', expected: 'a clientSecret or a clientCertificate with client-credentials' })
    }
    if (provider === 'microsoft' && SHARED_TENANTS.has(written['tenant'])) {
      conflicts.push({ key: 'tenant', expected: 'the tenant of the organisation, with client-credentials' })
    }
    const known = typeof provider === 'string' ? SIGN_IN_PROVIDERS[provider] : undefined
    if (known !== undefined && known.application === null && scopes === undefined) {
      conflicts.push({ key: 'flow', expected: `another flow: ${known.name} gives no mail to client-credentials` })
    }
  }
  return conflicts
}

/** What `config show` prints. */
export function shownClient(client: OAuthClient): Written {
  const { clientSecret, clientSecretExpires: ends } = client
  return {
    ...client,
    clientSecret: sourceKeys(clientSecret),
    clientSecretExpires: ends === null ? null : new Date(ends).toISOString().slice(0, 10),
  }
}
