// How the polls of a run may differ from plain ones. Which of the planned messages, how fast, what proof a deletion needs, when to
// stop. A migration speaks to its polls by this; a poll knows nothing of migrations. The one rule: once there is a plan,
// restrictions only take away or delay. They add no fetch and no deletion to it.
import type { Lease } from '../../ledger/ledger.ts'
import type { Session } from '../../pop3/session.ts'
import type { BodySink } from '../../pop3/wire/exchange.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import type { PlannedDeletion, PlannedFetch } from '../plan/entry.ts'
import type { Plan } from '../plan/plan.ts'
import type { SpaceCheck } from '../plan/space.ts'

/** The looks of the session (compare/looks.ts), which remember what ended it. */
export interface MessageLooks {
  /** What `read` makes of each header; null for one that the server does not show. */
  read<T>(entries: readonly PlannedFetch[], read: (header: Buffer) => T): Promise<readonly (T | null)[]>
  /** All of it, for `body`. False: the server does not give it. */
  retrieve(entry: PlannedDeletion, body: BodySink): Promise<boolean>
}

export interface Restrictions {
  /** The account's lease, where the caller holds it for longer than one poll; null: the poll takes and frees it. */
  readonly lease: Lease | null
  /** Are the messages that `first` skipped to be fetched as well? */
  readonly skippedToo: boolean
  /** Does a first poll take over what a finished migration of the mailbox has moved? */
  readonly takesOver: boolean
  /** What is compared with the space at the destinations, once there is a plan; it gives null where nothing is. Null instead of
   *  it: the plan of a first poll. */
  readonly spaceCheck: (() => SpaceCheck | null) | null
  /** Aborted: no further message is asked for. Messages under way are still delivered, and deletions and QUIT follow. */
  readonly stop: AbortSignal
  /** The part of the plan that this run carries out. May look at messages; rejects with BrokenLook when that ends the session. */
  wanted(plan: Plan, session: Session, looks: MessageLooks): Promise<Plan>
  /** Told of each `bytes` that came. A promise: nothing more is read until it resolves. */
  pace(bytes: number): Promise<void> | undefined
  /** The delivered messages that may be deleted, in the same order. */
  removable<T extends ListingEntry>(delivered: readonly T[]): Promise<readonly T[]>
}

export const noRestrictions: Restrictions = {
  lease: null,
  skippedToo: false,
  takesOver: true,
  spaceCheck: null,
  stop: new AbortController().signal,
  wanted: (plan) => Promise.resolve(plan),
  pace: () => undefined,
  removable: (delivered) => Promise.resolve(delivered),
}
