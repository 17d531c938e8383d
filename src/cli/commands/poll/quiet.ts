// Which failures are told when nobody watches. cron turns every line into a mail. So each trouble is told when it begins, and
// lasting ones once a day (N034, noise). Pure. On a terminal and with --verbose all are told.
import { createHash } from 'node:crypto'
import type { Told } from '../../../ledger/ledger.ts'
import type { AccountReport, DestinationTrouble } from '../../../poll/report.ts'
import { exitCodeOfError, exitCodeOfReport } from '../../../status/exit.ts'

/** A little less than a day: a daily cron job may start some seconds earlier than it did the day before. */
const REMINDER_MS = 23 * 3_600_000

/** What is remembered of what was told is bounded. */
const MOST_TROUBLES = 12

/** What is wrong with an account's polls, a word for each. Words are coarse on purpose: a network that is down gives different
 *  errors at different times, and all of them are one trouble. */
export function troublesOf(report: AccountReport): readonly string[] {
  const { outcome, troubles, deferredThemselves, undeleted } = report
  if (outcome === 'ok' || outcome === 'busy') return []
  const words = [
    ...(ownError(report) === null ? [] : [`exit ${exitCodeOfReport(report)}`]),
    ...troubles.map(troubleOf),
    // A message that is refused or held is told in the run in which that happens, and not again.
    ...(deferredThemselves > 0 ? [DEFERRED] : []),
    ...(undeleted > 0 ? [UNDELETED] : []),
  ]
  return [...new Set(words)].slice(0, MOST_TROUBLES)
}

/** What is wrong with the account itself; null: nothing, but perhaps with its destinations. */
export function ownError({ error, troubles }: AccountReport): AccountReport['error'] {
  return troubles.some((trouble) => trouble.error.message === error?.message) ? null : error
}

export const DEFERRED = 'deferred'
export const UNDELETED = 'undeleted'

/** The word for a destination: short, however long its name is. */
export function troubleOf({ destination, recipient, error }: DestinationTrouble): string {
  const mark = createHash('sha256')
    .update(JSON.stringify([destination, recipient]))
    .digest('hex')
    .slice(0, 12)
  return `${mark} exit ${exitCodeOfError(error)}`
}

/** Those of the troubles `now` that are to be told, given what was told before. */
export function worthTelling(previous: Told | null, now: readonly string[], nowMs: number): readonly string[] {
  if (previous === null) return now
  // When the clock was set back, the last time may lie in the future: tell it, or nothing is told for years.
  if (nowMs - previous.atMs >= REMINDER_MS || nowMs < previous.atMs) return now
  const before = new Set(previous.state.split(SEPARATOR))
  return now.filter((word) => !before.has(word))
}

const SEPARATOR = ', '

/** What the ledger is to remember after this run; `previous` itself when nothing changes. */
export function toldAfter(previous: Told | null, report: AccountReport, nowMs: number): Told | null {
  if (report.outcome === 'busy' || saysNothing(report)) return previous
  const now = troublesOf(report)
  if (now.length === 0) return null
  const isReminder = previous === null || worthTelling(previous, now, nowMs).length === now.length
  const hidden = (previous?.state.split(SEPARATOR) ?? []).filter((word) => isHidden(word, report))
  const state = [...new Set([...now, ...hidden])].toSorted().slice(0, MOST_TROUBLES).join(SEPARATOR)
  const atMs = isReminder ? nowMs : previous.atMs
  return previous !== null && previous.state === state && previous.atMs === atMs ? previous : { state, atMs }
}

/** Does the trouble last, though this poll does not see it? Otherwise it would be told again once nothing hides it. The poll
 *  was not made, the mailbox failed, or a destination at rest keeps the mail from all others. */
function isHidden(word: string, report: AccountReport): boolean {
  const { outcome, deferred, delivered } = report
  const sawNothing = outcome === 'paused' || ownError(report) !== null
  if (word === DEFERRED) return sawNothing || deferred > 0
  return sawNothing && delivered === 0 && OF_DESTINATION.test(word)
}

const OF_DESTINATION = /^[0-9a-f]{12} exit /

/** It was not polled, and there is no last error of the mailbox: none, or a destination's, whose name is not known any more. */
export function saysNothing({ outcome, error, troubles }: AccountReport): boolean {
  return outcome === 'paused' && (error === null || error.code === 'ERR_DELIVERY') && troubles.length === 0
}
