// What a new configuration changes, in words, and whether it can be taken over by a process that runs. Pure.
import { isDeepStrictEqual } from 'node:util'
import type { Account, Configuration } from '../config/schema.ts'

/** Secrets that are written out look alike to isDeepStrictEqual, which cannot see into them. */
export function sameAccount(a: Account, b: Account): boolean {
  return same(a, b)
}

function same(a: object, b: object): boolean {
  return isDeepStrictEqual(a, b) && isDeepStrictEqual(secretsIn(a), secretsIn(b))
}

function secretsIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  if ('reveal' in value && typeof value.reveal === 'function') return [String(value.reveal())]
  return Object.values(value).flatMap(secretsIn)
}

/** One sentence per change; none: nothing changed. `before` and `after` are the accounts that are polled. */
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
    return then === undefined || same(then, now) ? [] : [name]
  })
  return [
    ...added.map((name) => `${what} ${name} added`),
    ...removed.map((name) => `${what} ${name} removed`),
    ...changed.map((name) => `${what} ${name} changed`),
  ]
}
