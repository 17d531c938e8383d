// Servers whose accounts are polled later than planned, since `concurrency` or `perHost` has too few places for them. Late is not dead:
// they are polled as often as the limits let them, and no health check fails. Pure.
import { counted } from './words/amounts.ts'
import { timeUntil } from './words/moment.ts'

/** A server of some accounts in the plan of the daemon. */
export interface LateHost {
  readonly host: string
  /** How many of its accounts were late at their last two polls, and longer. */
  readonly accounts: number
  /** By how much the latest of them was. */
  readonly lateMs: number
  readonly sinceMs: number
}

/** `3 accounts are polled later than planned, by up to 12 min: …`. */
export function lateText({ accounts, lateMs }: Pick<LateHost, 'accounts' | 'lateMs'>): string {
  const are = accounts === 1 ? 'is' : 'are'
  return `${counted(accounts, 'account')} ${are} polled later than planned, by up to ${timeUntil(lateMs)}: more accounts than places: raise perHost (if the server allows it) or concurrency, or poll less often`
}
