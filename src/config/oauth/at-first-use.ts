// The sign-ins of a configuration, loaded when the first token is wanted of them.
import type { SignIns } from '../../oauth/oauth.ts'
import type { OfClients } from './sign-ins.ts'

export function signInsAtFirstUse(
  configuration: OfClients,
  env: Readonly<Record<string, string | undefined>>,
): SignIns {
  const loaded = async (): Promise<SignIns> => (await import('./sign-ins.ts')).signInsOf(configuration, env)
  return {
    tokenFor: async (request) => await (await loaded()).tokenFor(request),
    state: async (client, user) => await (await loaded()).state(client, user),
    mark: async (client, user) => await (await loaded()).mark(client, user),
  }
}
