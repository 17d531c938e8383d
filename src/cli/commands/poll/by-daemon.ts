// A plain `popfetch` while a daemon runs: that process polls, and this one waits for the outcome.
import { configurationMark } from '../../../daemon/control/protocol.ts'
import type { AccountReport } from '../../../poll/report.ts'
import { askRunning } from '../../open/ask-daemon.ts'
import type { OpenedRun } from '../../open/configured.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { PollInvocation } from './options.ts'

const BEFORE: Pick<AccountReport, 'troubles' | 'deferredThemselves' | 'deferredByRates'> = {
  troubles: [],
  deferredThemselves: 0,
  deferredByRates: 0,
}

/**
 * Asks the daemon to poll these accounts, if one runs under the same configuration. Null: the poll is to be
 * done here, under the leases. No process runs, it does not answer, it ended, or it cannot do what the options ask for.
 */
export async function pollByDaemon(
  { dryRun, limit, all, acceptNewIds, markSeen, yes }: PollInvocation,
  { configuration, accounts }: Pick<OpenedRun, 'configuration' | 'accounts'>,
  eager: boolean,
  surroundings: Surroundings,
): Promise<readonly AccountReport[] | null> {
  if (dryRun || limit !== null || all || acceptNewIds || markSeen || yes) return null
  const { files, statePath } = configuration
  try {
    const mark = await configurationMark(files, surroundings.env)
    const names = accounts.map(({ name }) => name)
    const request = { verb: 'wake', accounts: names, eager, wait: true, mark } as const
    const reports = (await askRunning(statePath, request, surroundings))?.reports ?? null
    // A process of an older version tells less.
    return reports?.map((report) => ({ ...BEFORE, ...report })) ?? null
  } catch (error) {
    if (surroundings.signal.aborted) throw error
    return null
  }
}
