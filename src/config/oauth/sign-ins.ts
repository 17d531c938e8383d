// The sign-ins of a configuration. How a sign-in is made and kept is oauth/; a poll loads both where a token is wanted of them.
import { PopfetchError } from '../../errors.ts'
import type { Client, Use } from '../../oauth/oauth.ts'
import { Seal, SHORTEST_KEY } from '../../oauth/seal.ts'
import { type Rows, SealedStore } from '../../oauth/sealed-store.ts'
import { KeptSignIns } from '../../oauth/sign-ins.ts'
import { type SignInStore, Store } from '../../oauth/store.ts'
import { stateFolder } from '../paths.ts'
import type { Configuration } from '../schema.ts'
import type { Postgres } from '../state/postgres.ts'
import { pem, resolveSecret, type SecretSource } from '../values/secret.ts'
import type { OAuthClient } from './client.ts'
import { signedInBy, type Users } from './signed-in.ts'

/** What of a configuration decides about sign-ins. */
export type OfClients = Users & Pick<Configuration, 'oauth' | 'statePath' | 'postgres'>

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
    ...(configuration.postgres === null ? {} : { store: storeIn(configuration.postgres, env) }),
    clients: new Map(clients),
    env,
    nowMs: Date.now,
  })
  made.set(configuration, signIns)
  return signIns
}

/** Where the sign-ins of a ledger are kept (`state copy`). */
export function storeOf(
  place: Pick<Configuration, 'statePath' | 'postgres'>,
  env: Readonly<Record<string, string | undefined>>,
): SignInStore {
  return place.postgres === null ? new Store(stateFolder(place), { env }) : storeIn(place.postgres, env)
}

/** In the database. Its client is loaded, and the keys are read, at first use. */
function storeIn(postgres: Postgres, env: Readonly<Record<string, string | undefined>>): SealedStore {
  let [rows, seal]: [Promise<Rows> | null, Promise<Seal> | null] = [null, null]
  return new SealedStore({
    rows: async () => {
      rows ??= rowsIn(postgres, env)
      return await rows.catch((error: unknown) => {
        rows = null
        throw error
      })
    },
    seal: async () => {
      seal ??= sealBy(postgres, env)
      return await seal.catch((error: unknown) => {
        seal = null
        throw error
      })
    },
  })
}

async function rowsIn(postgres: Postgres, env: Readonly<Record<string, string | undefined>>): Promise<Rows> {
  const { serverOf } = await import('../state/open-database.ts')
  const { SignInRows } = await import('../../ledger/postgres/sign-in-rows.ts')
  return new SignInRows(await serverOf(postgres, env))
}

async function sealBy({ key, formerKey }: Postgres, env: Readonly<Record<string, string | undefined>>): Promise<Seal> {
  if (key === null)
    throw unusableKey('there is none in the configuration: set it, such as state: { key: { file: state.key } }')
  const read = async (source: SecretSource, what: string): Promise<string> => {
    const text = await resolveSecret(source, { env, signal: AbortSignal.timeout(SECRET_LIMIT_MS), what })
    if (text.length < SHORTEST_KEY)
      throw unusableKey(`${what} has fewer than ${SHORTEST_KEY} characters: openssl rand -hex 32 prints a good one`)
    return text
  }
  const present = await read(key, 'state.key')
  return new Seal(present, formerKey === null ? null : await read(formerKey, 'state.formerKey'))
}

function unusableKey(why: string): PopfetchError {
  const text = `sign-ins in the database need the key that seals them, state.key: ${why}`
  return new PopfetchError('ERR_CONFIG', text, { scope: 'account', retry: 'never' })
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
