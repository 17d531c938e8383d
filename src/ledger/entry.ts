// The words in which both contracts, that of polls (ledger.ts) and that of people (records.ts), speak of a message.

/** Identifies a message of an account. `uidl`: latin1 text of the bytes; see Origin. */
export interface EntryKey {
  readonly uidl: string
  readonly copy: number
}

/** `open`: some delivery is not done. `delivered`: all are. `seen`: skipped by `first`, never deleted, never fetched.
 *  `held`: kept back (too large, poisonous, a loop, three unknown answers); fetched again only when a person says so. */
export type MessageState = 'open' | 'delivered' | 'seen' | 'held'

/** `pending`: fixed as a target, not tried. `started`: tried, outcome not recorded. `done`. `refused`: for good, as it is.
 *  `unknown`: may have been delivered. `failed`: the last try failed for the time being. */
export type DeliveryState = 'pending' | 'started' | 'done' | 'refused' | 'unknown' | 'failed'

export interface Delivery {
  readonly destination: string
  readonly recipient: string
  readonly state: DeliveryState
  /** Of the last attempt; '' before the first. */
  readonly intent: string
  readonly attempts: number
  /** How many attempts ended without an answer. */
  readonly unknowns: number
  readonly error: string | null
}
