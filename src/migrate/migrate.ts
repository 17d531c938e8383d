// A whole mailbox, moved once: the story on one page. lease → what failed before is tried afresh → sessions, until one makes
// no progress → everything is read again where it stands → the account of it. Each session is a poll (poll/poll.ts) on the
// migration's restrictions. The one rule: with `--delete` a message goes from the server only after it was read again (S024).
import { setTimeout as pause } from 'node:timers/promises'
import { asPopfetchError } from '../errors.ts'
import { Destinations } from '../poll/run/destinations.ts'
import { Poller } from '../poll/poller.ts'
import { noRestrictions } from '../poll/run/restrictions.ts'
import { Migration } from './migration.ts'
import { Rate } from './rate.ts'
import type { MigrationReport } from './report.ts'
import type { MigrationRequest } from './request.ts'

export type { MigrationOptions, MigrationRequest } from './request.ts'

/** After a signal: so long for messages that are on the wire, before the lines are cut. The command line waits 10 s (N001). */
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
    const context = { ...request, poller, destinations, rate, wait: request.wait ?? waitFor }
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
