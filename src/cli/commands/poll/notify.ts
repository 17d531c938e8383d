// After a poll from cron: people are told of what is news (DESIGN 3, `notify`), when all mail is delivered and recorded. Also that
// popfetch itself cannot work.
import { keepWhoIsTold, whoIsTold } from '../../../config/daemon/told.ts'
import { notifyRound } from '../../../daemon/notify/notify.ts'
import { isOfProcess, tellProcess } from '../../../daemon/notify/process.ts'
import { asPopfetchError } from '../../../errors.ts'
import { silentLog } from '../../../log.ts'
import type { AccountReport } from '../../../poll/report.ts'
import { readBriefly } from '../../../status/facts.ts'
import { listedSignIns } from '../../../status/sign-ins.ts'
import { NO_DAEMON, statusOf } from '../../../status/status.ts'
import type { OpenedRun } from '../../open/configured.ts'
import type { CommonOptions } from '../../common-options.ts'
import type { Surroundings } from '../../surroundings.ts'

/** Takes half a minute at most. Never rejects: that nobody could be told is logged. */
export async function notifyOf(
  reports: readonly AccountReport[],
  { configuration, ledger, log }: Pick<OpenedRun, 'configuration' | 'ledger' | 'log'>,
  { env, nowMs, signal }: Pick<Surroundings, 'env' | 'nowMs' | 'signal'>,
): Promise<void> {
  try {
    await keepWhoIsTold(configuration, env).catch((error: unknown) =>
      log.warn('who is to be told could not be kept', { error: String(error) }),
    )
    const configured = configuration.accounts.map(({ name }) => name)
    const signIns = configuration.oauth.size === 0 ? [] : await listedSignIns(configuration, env)
    const known = { nowMs: nowMs(), configured, destinationNames: [...configuration.destinations.keys()] }
    const status = statusOf(await readBriefly(ledger, { ...known, signIns, daemon: NO_DAEMON }))
    await notifyRound({ configuration, status, reports, pings: true }, { ledger, log, env, nowMs, signal })
    const broken = reports.find(({ error }) => error?.code === 'ERR_LEDGER')?.error ?? configuration.trouble
    await tellProcess(broken, { configuration, log, env, nowMs: nowMs(), signal })
  } catch (error) {
    log.warn('notices could not be sent', { error: String(error) })
  }
}

/** Nothing could be started: by whom the file names, as far as that part of it is right. Never rejects. */
export async function tellFailure(
  thrown: unknown,
  options: CommonOptions,
  { env, cwd, uid, nowMs, signal }: Surroundings,
): Promise<void> {
  const error = asPopfetchError(thrown, 'process')
  if (!isOfProcess(error) || signal.aborted) return
  const configuration = await whoIsTold({ file: options.config, state: options.state, env, cwd, uid })
  if (configuration === null) return
  await tellProcess(error, { configuration, log: silentLog, env, nowMs: nowMs(), signal })
}
