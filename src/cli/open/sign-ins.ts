// Which sign-ins (OAuth 2.0) a name on the command line means. How they stand is status/sign-ins.ts.
import { signedInBy } from '../../config/oauth/signed-in.ts'
import type { Configuration } from '../../config/schema.ts'
import { FIRST_OF } from '../../config/values/written.ts'

/** The names that sign in with OAuth and are meant by `name`: itself, or else the destinations of the account that is called so.
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
