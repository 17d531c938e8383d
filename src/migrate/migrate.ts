// A whole mailbox, moved once (`popfetch migrate`). This file moves several side by side; migration.ts moves one.
//
// A migration takes the lease of the account and keeps it to the end. What an earlier run could not deliver is tried afresh
// (resumption.ts). Then it runs sessions. Each is a poll (poll/poll.ts) with restrictions: which messages (since.ts), how many
// at once (progress.ts), how fast (rate.ts). After each one retry.ts says whether another comes, and when: it ends when a
// session brings nothing more. Then every delivered message is read again at its destination (verify.ts). What differs there is
// fetched once more and compared (second-look.ts). At last each message is counted once, as moved or as not, with the reason
// (balance.ts): that is the report (report.ts). One rule: with `--delete` a message leaves the server only after it was read
// again (S024, verified before deleted).
import { setTimeout as pause } from 'node:timers/promises'
import { asPopfetchError } from '../errors.ts'
import { Destinations } from '../poll/run/destinations.ts'
import { Poller } from '../poll/poller.ts'
import { SpaceBook } from '../poll/plan/space.ts'
import { noRestrictions } from '../poll/run/restrictions.ts'
import { Migration } from './migration.ts'
import { Rate } from './rate.ts'
import type { MigrationReport, MigrationRequest } from './report.ts'

export type { MigrationOptions, MigrationRequest } from './report.ts'

/** After a signal, messages on the wire have so long before connections are cut. The command line waits 10 s (N001, signals). */
const FINISH_MS = 7000

/** Moves each account's mailbox, side by side; reports in the order of `request.accounts`. Rejects only on a bug of ours. */
export async function migrateAll(request: MigrationRequest): Promise<readonly MigrationReport[]> {
  const { configuration, accounts, ledger, options, observer, log, env, signal, nowMs } = request
  const cut = new AbortController()
  const onStop = (): void => void setTimeout(() => cut.abort(signal.reason), FINISH_MS).unref()
  if (signal.aborted) onStop()
  else signal.addEventListener('abort', onStop, { once: true })
  const rate = options.maxBytesPerSecond === null ? null : new Rate(options.maxBytesPerSecond, nowMs, signal)
  const migrations = new Map<string, Migration>()
  try {
    await using destinations = new Destinations(configuration, env, nowMs)
    await using poller = new Poller(configuration, {
      ledger,
      log,
      env,
      signal: cut.signal,
      observer: {
        progress: (account, progress) => migrations.get(account)?.observe(progress),
        note: (account, text) => observer.note(account, text),
      },
      restrictions: ({ name }) => migrations.get(name)?.restrictions ?? noRestrictions,
    })
    await poller.sweep()
    const context = { ...request, poller, destinations, book: new SpaceBook(), rate, wait: request.wait ?? waitFor }
    for (const account of accounts) migrations.set(account.name, new Migration(account, context))
    return await Promise.all([...migrations.values()].map((migration) => migration.run()))
  } catch (error) {
    throw asPopfetchError(error, 'process')
  } finally {
    signal.removeEventListener('abort', onStop)
  }
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal })
}
