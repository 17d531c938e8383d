// A configuration that is read again nearly always says of nearly every account what it said before. These accounts stay the very
// objects that they were: ten thousand of them are in memory once, and whoever asks what changed need only look at identity. The
// comparison itself is long, so it is done in turns with the daemon's other work. Pure.
import type { Account, Configuration } from '../schema.ts'
import { inTurns } from '../turns.ts'
import { sameConfiguration } from '../values/secret.ts'

type Compared = Pick<Configuration, 'accounts' | 'disabled' | 'destinations'>

/** `after`, in which each account and destination that says the same as in `before` is the object that it is there. */
export async function withUnchanged<C extends Compared>(before: Compared, after: C): Promise<C> {
  return await inTurns(keeping(before, after))
}

function* keeping<C extends Compared>(before: Compared, after: C): Generator<void, C> {
  const known = new Map([...before.accounts, ...before.disabled].map((account) => [account.name, account]))
  yield
  const accounts = yield* keepingAccounts(known, after.accounts)
  const disabled = yield* keepingAccounts(known, after.disabled)
  const destinations = new Map(after.destinations)
  for (const [name, now] of after.destinations) {
    const then = before.destinations.get(name)
    if (then !== undefined && sameConfiguration(then, now)) destinations.set(name, then)
    yield
  }
  return { ...after, accounts, disabled, destinations }
}

function* keepingAccounts(
  known: ReadonlyMap<string, Account>,
  accounts: readonly Account[],
): Generator<void, readonly Account[]> {
  const kept: Account[] = []
  for (const now of accounts) {
    const then = known.get(now.name)
    kept.push(then !== undefined && sameConfiguration(then, now) ? then : now)
    yield
  }
  return kept
}
