// After a poll from cron: people are told of what is news (DESIGN 3, `notify`), when all mail is delivered and recorded.
import { notifyRound } from '../../../daemon/notify/notify.ts'
import type { AccountReport } from '../../../poll/report.ts'
import { readBriefly } from '../../../status/facts.ts'
import { listedSignIns } from '../../../status/sign-ins.ts'
import { NO_DAEMON, statusOf } from '../../../status/status.ts'
import type { OpenedRun } from '../../open/configured.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Takes half a minute at most. Never rejects: that nobody could be told is logged. */
export async function notifyOf(
  reports: readonly AccountReport[],
  { configuration, ledger, log }: Pick<OpenedRun, 'configuration' | 'ledger' | 'log'>,
  { env, nowMs, signal }: Pick<Surroundings, 'env' | 'nowMs' | 'signal'>,
): Promise<void> {
  try {
    const configured = configuration.accounts.map(({ name }) => name)
    const signIns = configuration.oauth.size === 0 ? [] : await listedSignIns(configuration, env)
    const status = statusOf(await readBriefly(ledger, { nowMs: nowMs(), configured, signIns, daemon: NO_DAEMON }))
    await notifyRound({ configuration, status, reports, pings: true }, { ledger, log, env, nowMs, signal })
  } catch (error) {
    log.warn('people could not be told', { error: String(error) })
  }
}
