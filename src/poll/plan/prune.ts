// When may the ledger forget a message (HAZARDS C6)? Only what the server has lost for good. A listing may lack messages that
// are still there, and a message that comes back after it was forgotten is delivered twice. Pure.
// The one rule: in doubt it is kept. A row is some 200 bytes; a second copy is a fault.
import type { Absence } from '../../ledger/ledger.ts'

const DAY_MS = 86_400_000

/** The first listing that lacked a message and the last one lie so far apart at least. */
const ABSENT_MS = 30 * DAY_MS

/** This many whole listings lacked it at least. */
const ABSENT_LISTINGS = 3

/** Forgotten in one poll: a second of work while a session waits. The next poll goes on. */
export const MOST_FORGOTTEN = 10_000

/** At most this many messages of one account are known, twice as many as a listing may have. So no server makes the ledger grow
 *  without end (S044). */
export const MOST_KNOWN = 10_000_000

export interface ListingView {
  /** Messages that it has. */
  readonly listed: number
  /** Those that the last listing had; null: not recorded. */
  readonly listedBefore: number | null
  /** Messages known and not recorded as gone. */
  readonly present: number
  /** Those of them that were asked to be deleted. */
  readonly removed: number
}

/** Does the listing show the whole mailbox? Not where it lacks more than half of what should be there, or all of it. A server
 *  under maintenance (P083, empty though the box is full) or short of disk (P099) shows less than it has. */
export function isWhole({ listed, present, removed }: ListingView): boolean {
  const expected = Math.max(0, present - removed)
  return listed === 0 ? expected === 0 : listed >= expected / 2
}

/** May what the listing lacks be there nevertheless? Some servers show only the newest ones (P100, windowed listing): what new
 *  mail pushes out comes back when there is room. Then exactly as much came as went. */
export function mayBeWindow({ listed, listedBefore }: ListingView): boolean {
  return listedBefore === null || listed === listedBefore
}

/** What may be forgotten after a whole listing; null: nothing. `agedMs`: see age-clock.ts. A clock that jumped says nothing
 *  about months (S030). */
export function forgettable(agedMs: number | null): Absence | null {
  return agedMs === null ? null : { goneUntilMs: agedMs - ABSENT_MS, listings: ABSENT_LISTINGS }
}
