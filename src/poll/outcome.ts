// How a poll ended, from what became of the messages that were due in it: ANSWERS.md, table 4, read from the top. Pure. The one
// rule: a poll that was to deliver something and delivered nothing is no success (N041).
import type { PollOutcome } from './report.ts'

/** Why a message that was due is not at all its destinations. `tried`: a destination that was tried in this poll keeps it back.
 *  `rest`: only destinations that are left alone do. `own`: it is for the message's own sake. `rate`: it was not due, since a
 *  destination has got as many as its rate allows. `pause`: only a destination that a person paused lacks it. */
export type Kept = 'tried' | 'rest' | 'own' | 'rate' | 'pause'

export interface Counted {
  /** Delivered, of what was due. */
  readonly delivered: number
  readonly kept: Readonly<Record<Exclude<Kept, 'rate' | 'pause'>, number>>
  /** Messages, due or not, that only destinations lack that a person paused: nobody's failure. */
  readonly paused: number
  /** Messages that a destination lacks though they were not due: they wait for their hour, or for a rate. */
  readonly waiting: number
  /** A deletion was tried in this poll and failed, or a message became refused or held. */
  readonly trouble: boolean
}

export function outcomeOf({ delivered, kept, paused, waiting, trouble }: Counted): Exclude<PollOutcome, 'busy'> {
  const notDelivered = kept.tried + kept.rest + kept.own
  if (delivered === 0 && kept.tried > 0) return 'failed'
  if (delivered === 0 && kept.rest > 0 && kept.own === 0) return 'paused'
  if (notDelivered > 0 || waiting > 0 || trouble) return 'partial'
  return delivered === 0 && paused > 0 ? 'paused' : 'ok'
}

/** Was this a success, that is to be remembered as the last one? Null: it says neither yes nor no. */
export function wasSuccess(counted: Counted): boolean | null {
  const { delivered, kept } = counted
  const outcome = outcomeOf(counted)
  if (outcome === 'failed') return false
  if (outcome === 'paused') return null
  if (kept.tried + kept.rest > 0) return false
  return delivered === 0 && kept.own > 0 ? null : true
}

/** The most serious first, as the exit codes of accounts that fail differently. */
const SERIOUSNESS: readonly number[] = [78, 77, 76, 74, 73, 70, 75]

/** Is an error with this exit code more serious than another one? */
export function isMoreSerious(exit: number, than: number): boolean {
  return SERIOUSNESS.indexOf(exit) < SERIOUSNESS.indexOf(than)
}
