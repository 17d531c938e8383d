// Which failures are told when nobody watches. cron turns every line into a mail, so a lasting failure is told when it
// begins, when its kind changes, and once a day (N034, noise). Pure. On a terminal and with --verbose all are told.
import type { Told } from '../../../ledger/ledger.ts'
import type { AccountReport } from '../../../poll/report.ts'
import { exitCodeOfReport } from '../../exit.ts'

/** A little less than a day: a daily cron job may start some seconds earlier than it did the day before. */
const REMINDER_MS = 23 * 3_600_000

/** The kind of an account's lasting failure; null: there is none. Kinds are coarse on purpose: a network that is down gives
 *  different errors at different times, and all of them are one kind. */
export function failureState(report: Pick<AccountReport, 'outcome' | 'error' | 'deferred'>): string | null {
  if (report.outcome === 'ok' || report.outcome === 'busy') return null
  if (report.error !== null) return `exit ${exitCodeOfReport(report)}`
  // A message that is refused or held is told in the run in which that happens, and not again.
  return report.deferred > 0 ? 'deferred' : null
}

/** Whether a failure of kind `now` is to be told, given what was told before. */
export function isWorthTelling(previous: Told | null, now: string | null, nowMs: number): boolean {
  if (now === null) return false
  if (previous === null || previous.state !== now) return true
  // When the clock was set back, the last time may lie in the future: tell it, or nothing is told for years.
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
  return isWorthTelling(previous, state, nowMs) ? { state, atMs: nowMs } : previous
}
