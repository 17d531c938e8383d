// The sign-ins of a configuration (OAuth 2.0) and how each stands. Makes no request.
import { signedInBy } from '../config/oauth/signed-in.ts'
import { signInsOf } from '../config/oauth/sign-ins.ts'
import type { Configuration } from '../config/schema.ts'
import { asPopfetchError } from '../errors.ts'
import type { Listed } from './sign-in-lines.ts'

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

/** The sign-ins of the configuration, then kept ones that nothing uses any longer. */
export async function listedSignIns(
  configuration: Configuration,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly Listed[]> {
  const signIns = signInsOf(configuration, env)
  const wanted = wantedBy(configuration)
  const isWanted = (one: { client: string; user: string }): boolean =>
    wanted.some(({ client, user }) => client === one.client && user === one.user)
  const others = (await signIns.kept().catch(() => [])).filter((one) => !isWanted(one))
  const all = [...wanted, ...others.map((one) => ({ ...one, accounts: [], destinations: [] }))]
  return await Promise.all(
    all.map(async (one) => ({
      ...one,
      needsNobody: configuration.oauth.get(one.client)?.flow === 'client-credentials',
      state: await signIns.state(one.client, one.user).catch((error: unknown) => asPopfetchError(error)),
    })),
  )
}
