// The sign-ins of a configuration (OAuth 2.0) and how each stands, as `auth` and `status` tell them. Makes no request.
import { signedInBy, signInsOf } from '../../config/oauth/sign-ins.ts'
import type { Configuration } from '../../config/schema.ts'
import { FIRST_OF } from '../../config/values/written.ts'
import { asPopfetchError } from '../../errors.ts'
import type { Listed } from '../terminal/sign-in-lines.ts'

/** A sign-in that the configuration wants, and all that share it. */
export interface Wanted {
  readonly client: string
  readonly user: string
  readonly accounts: readonly string[]
  readonly destinations: readonly string[]
}

export function wantedBy(configuration: Configuration): readonly Wanted[] {
  const groups = Map.groupBy(signedInBy(configuration), ({ client, user }) => `${client}\0${user}`)
  return [...groups.values()].flatMap((users) => {
    const [first] = users
    if (first === undefined) return []
    const named = (kind: string): readonly string[] => users.filter((one) => one.kind === kind).map(({ name }) => name)
    return [{ client: first.client, user: first.user, accounts: named('account'), destinations: named('destination') }]
  })
}

/** The names that sign in by OAuth and are meant by `name`: itself, or else the destinations of the account that is called so.
 *  Empty: none. */
export function signingIn(name: string, configuration: Configuration): readonly string[] {
  const all = new Set(signedInBy(configuration).map((one) => one.name))
  if (all.has(name)) return [name]
  const account = configuration.accounts.find((one) => one.name === name)
  if (account === undefined) return []
  const reached = [...account.deliver, ...account.route.flatMap((rule) => rule.deliver)].flatMap((target) => {
    const config = configuration.destinations.get(target)
    return config?.type === FIRST_OF ? config.of : [target]
  })
  return [...new Set(reached)].filter((target) => all.has(target))
}

/** Those of the configuration, then those that are kept and nothing uses any more. */
export async function listedSignIns(
  configuration: Configuration,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly Listed[]> {
  const signIns = signInsOf(configuration, env)
  const wanted = wantedBy(configuration)
  const isWanted = (one: { client: string; user: string }): boolean =>
    wanted.some(({ client, user }) => client === one.client && user === one.user)
  const others = (await signIns.kept()).filter((one) => !isWanted(one))
  const all = [...wanted, ...others.map((one) => ({ ...one, accounts: [], destinations: [] }))]
  return await Promise.all(
    all.map(async (one) => ({
      ...one,
      needsNobody: configuration.oauth.get(one.client)?.flow === 'client-credentials',
      state: await signIns.state(one.client, one.user).catch((error: unknown) => asPopfetchError(error)),
    })),
  )
}
