// Whether so many accounts can be polled as often as is written: told by `config check`. Late is not dead: what cannot be kept is polled as
// often as the limits let it.
import { grouped } from '../../display.ts'
import { isLoopback } from '../values/host.ts'
import { formatDuration } from '../values/quantity.ts'
import type { Account, Configuration } from '../schema.ts'

/** A poll that finds nothing, at a server that is neither near nor slow: connection, TLS, sign-in, two lists. */
const POLL_MS = 1000
/** As run/concurrency.ts has it where nothing is written. */
const USUAL_PER_HOST = 8

type Limits = Pick<Configuration, 'concurrency' | 'perHost'>

/** A sentence for each limit that is too small, with a pause after each account. */
export function* intervalDoubts(
  accounts: readonly Account[],
  { concurrency, perHost }: Limits,
): Generator<void, readonly string[]> {
  const hosts = new Map<string, { accounts: number; atOnce: number; intervalMs: number }>()
  let all = 0
  for (const { host, poll } of accounts) {
    const atOnce = POLL_MS / poll.maxMs
    all += atOnce
    const there = hosts.get(host) ?? { accounts: 0, atOnce: 0, intervalMs: Infinity }
    hosts.set(host, {
      accounts: there.accounts + 1,
      atOnce: there.atOnce + atOnce,
      intervalMs: Math.min(there.intervalMs, poll.maxMs),
    })
    yield
  }
  const doubts: string[] = []
  for (const [host, { accounts: count, atOnce, intervalMs }] of hosts) {
    const limit = perHost ?? (isLoopback(host) ? Infinity : USUAL_PER_HOST)
    if (atOnce <= limit) continue
    const every = formatDuration(Math.ceil((count * POLL_MS) / limit / 1000) * 1000)
    doubts.push(
      `${grouped(count)} accounts at ${host} every ${formatDuration(intervalMs)}: with perHost: ${limit}, and a second for each poll, they come round every ${every}: raise perHost (if the server allows it) or poll`,
    )
  }
  if (all > concurrency)
    doubts.push(
      `${grouped(accounts.length)} accounts: with concurrency: ${concurrency}, and a second for each poll, not all can be polled as often as their poll says: raise concurrency or poll`,
    )
  return doubts
}
