// Who signs in by which client, and the sign-ins of a configuration. How a sign-in is made and kept is oauth/.
import type { Client, Use } from '../../oauth/oauth.ts'
import { KeptSignIns } from '../../oauth/sign-ins.ts'
import { stateFolder } from '../paths.ts'
import type { Account, Configuration, DestinationConfig } from '../schema.ts'
import { pem, resolveSecret } from '../values/secret.ts'
import { FIRST_OF } from '../values/written.ts'
import type { OAuthClient } from './client.ts'
import { useOf } from './use.ts'

/** An account or a destination that signs in with a client's token. */
export interface SignedIn {
  readonly kind: 'account' | 'destination'
  readonly name: string
  readonly client: string
  readonly user: string
  readonly use: Use
}

type Users = Pick<Configuration, 'accounts' | 'destinations'>

/** All that sign in by a client of `oauth:`, accounts first. */
export function signedInBy({ accounts, destinations }: Users): readonly SignedIn[] {
  return [
    ...accounts.flatMap(({ name, user, token }: Account): SignedIn[] =>
      token?.kind === 'oauth' ? [{ kind: 'account', name, client: token.client, user, use: 'pop' }] : [],
    ),
    ...[...destinations.values()].flatMap((config: DestinationConfig): SignedIn[] => {
      if (config.type === FIRST_OF || !('token' in config) || config.token?.kind !== 'oauth') return []
      const { name, user, token } = config
      return [{ kind: 'destination', name, client: token.client, user: user ?? '', use: useOf(config.type) }]
    }),
  ]
}

/** What of a configuration decides about sign-ins. */
export type OfClients = Users & Pick<Configuration, 'oauth' | 'statePath'>

const made = new WeakMap<object, KeptSignIns>()

/** The sign-ins of a configuration; the same object each time, so that metadata of issuers is asked for once. */
export function signInsOf(configuration: OfClients, env: Readonly<Record<string, string | undefined>>): KeptSignIns {
  const known = made.get(configuration)
  if (known !== undefined) return known
  const users = signedInBy(configuration)
  const clients = [...configuration.oauth].map(([name, client]): readonly [string, Client] => {
    const uses = [...new Set(users.filter((user) => user.client === name).map(({ use }) => use))]
    return [name, clientOf(name, client, uses, env)]
  })
  const signIns = new KeptSignIns({
    folder: stateFolder(configuration),
    clients: new Map(clients),
    env,
    nowMs: Date.now,
  })
  made.set(configuration, signIns)
  return signIns
}

/** A secret of the configuration has limits of its own, except a file on a network disk that does not answer. */
const SECRET_LIMIT_MS = 60_000

function clientOf(
  name: string,
  client: OAuthClient,
  uses: readonly Use[],
  env: Readonly<Record<string, string | undefined>>,
): Client {
  const { clientSecret, clientCertificate, clientKey, clientSecretExpires, ...rest } = client
  const { provider, issuer: named, clientId, tenant: ofTenant, scopes, flow, redirectPort } = rest
  const what = `the client secret of ${name}`
  return {
    name,
    provider,
    issuer: named,
    endpoints: {
      authorization: rest.authorizationEndpoint,
      token: rest.tokenEndpoint,
      device: rest.deviceEndpoint,
      revocation: rest.revocationEndpoint,
    },
    clientId,
    clientSecret:
      clientSecret === null
        ? null
        : () => resolveSecret(clientSecret, { env, signal: AbortSignal.timeout(SECRET_LIMIT_MS), what }),
    certificate:
      clientCertificate === null || clientKey === null
        ? null
        : async () => ({ certificate: await pem(clientCertificate), key: await pem(clientKey, true) }),
    secretEndsMs: clientSecretExpires,
    tenant: ofTenant,
    scopes,
    uses,
    flow,
    redirectPort,
  }
}
