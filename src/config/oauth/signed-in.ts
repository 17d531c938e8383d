// Who signs in by which client.
import type { Use } from '../../oauth/oauth.ts'
import type { Account, Configuration, DestinationConfig } from '../schema.ts'
import { FIRST_OF } from '../values/written.ts'
import { useOf } from './use.ts'

/** An account or a destination that signs in with a client's token. */
export interface SignedIn {
  readonly kind: 'account' | 'destination'
  readonly name: string
  readonly client: string
  readonly user: string
  readonly use: Use
}

export type Users = Pick<Configuration, 'accounts' | 'destinations'>

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
