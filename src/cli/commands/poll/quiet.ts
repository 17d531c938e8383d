// What is worth saying when nobody watches: cron turns every line into a mail, so a lasting failure is told when it
// begins, when its kind changes, and once a day (N034). Pure; a terminal and --verbose do not ask here.
import type { Told } from '../../../ledger/ledger.ts'
import type { AccountReport } from '../../../poll/report.ts'
import { exitCodeOfReport } from '../../exit.ts'

/** A little less than a day: a daily cron job that starts some seconds earlier than yesterday is still told. */
const REMINDER_MS = 23 * 3_600_000

/** The kind of an account's lasting failure, null: none. Kinds are coarse on purpose: a network that is down gives now
 *  this error and now that one, and all of them are one state. */
export function failureState(report: Pick<AccountReport, 'outcome' | 'error' | 'deferred'>): string | null {
  if (report.outcome === 'ok' || report.outcome === 'busy') return null
  if (report.error !== null) return `exit ${exitCodeOfReport(report)}`
  // Refused and held messages are told in the run in which that happens and last silently.
  return report.deferred > 0 ? 'deferred' : null
}

/** Whether a failure of kind `now` is to be told, given what was told before. */
export function worthSaying(previous: Told | null, now: string | null, nowMs: number): boolean {
  if (now === null) return false
  if (previous === null || previous.state !== now) return true
  // A clock that was set back must not silence a failure for years.
  return nowMs - previous.atMs >= REMINDER_MS || nowMs < previous.atMs
}

/** What the ledger is to remember after this run; `previous` itself when nothing changes. */
export function toldAfter(
  previous: Told | null,
  report: Pick<AccountReport, 'outcome' | 'error' | 'deferred'>,
  nowMs: number,
): Told | null {
  if (report.outcome === 'busy') return previous
  const state = failureState(report)
  if (state === null) return null
  return worthSaying(previous, state, nowMs) ? { state, atMs: nowMs } : previous
}
