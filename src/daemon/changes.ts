// What a new configuration changes, in words. Pure.
import { isDeepStrictEqual } from 'node:util'
import type { Configuration } from '../config/schema.ts'
import { sameConfiguration } from '../config/values/secret.ts'

/** One sentence for each change; none when nothing changed. Both sides hold only the accounts that are polled. */
export function changesBetween(
  before: Pick<Configuration, 'accounts' | 'destinations' | 'concurrency' | 'perHost' | 'daemon' | 'log'>,
  after: typeof before,
): readonly string[] {
  const keys = ['concurrency', 'perHost', 'daemon', 'log'] as const
  return [
    ...differences(
      'account',
      new Map(before.accounts.map((account) => [account.name, account])),
      new Map(after.accounts.map((account) => [account.name, account])),
    ),
    ...differences('destination', before.destinations, after.destinations),
    ...keys.flatMap((key) => (isDeepStrictEqual(before[key], after[key]) ? [] : [`${key} changed`])),
  ]
}

function differences(
  what: string,
  before: ReadonlyMap<string, object>,
  after: ReadonlyMap<string, object>,
): readonly string[] {
  const added = [...after.keys()].filter((name) => !before.has(name))
  const removed = [...before.keys()].filter((name) => !after.has(name))
  const changed = [...after].flatMap(([name, now]) => {
    const then = before.get(name)
    return then === undefined || sameConfiguration(then, now) ? [] : [name]
  })
  return [
    ...added.map((name) => `${what} ${name} added`),
    ...removed.map((name) => `${what} ${name} removed`),
    ...changed.map((name) => `${what} ${name} changed`),
  ]
}
