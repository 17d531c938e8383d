// What `popfetch state` and `status` look up and mend: the rest of the ledger's contract, which no poll needs. Kept apart from
// ledger.ts, the contract of polls; the same promises hold (durable when it resolves, ERR_LEDGER, no long turn of the loop).
import type { DayCounts, FactChanges } from './account.ts'
import type { Delivery, EntryKey, Harm, MessageState, PendingDeletion } from './entry.ts'
import type { Lease } from './lease.ts'

/** `open` includes what a destination refused; `refused`: those of them alone. */
export type Selection = 'all' | 'open' | 'refused' | 'delivered' | 'seen' | 'held'

/** A delivery, and how it came to an end. */
export interface DeliveryRecord extends Delivery {
  /** When the last attempt came to an end; null: none did. */
  readonly settledMs: number | null
  /** What the destination said when it took the message; null: it has not taken it. */
  readonly receipt: string | null
}

/** Everything that is recorded of a message. */
export interface MessageRecord {
  /** A UIDL of more than 1,024 bytes is recorded as its SHA-256, and stands here as those 32 bytes. */
  readonly key: EntryKey
  readonly state: MessageState
  readonly firstSeenMs: number
  readonly listedBytes: number | null
  readonly receivedBytes: number | null
  readonly messageId: string | null
  /** See Heading: not safe to print as they are. */
  readonly from: string | null
  readonly subject: string | null
  readonly dateMs: number | null
  readonly fingerprint: Buffer | null
  readonly digest: Buffer | null
  /** How often it was begun without being finished. */
  readonly attempts: number
  readonly retryAfterMs: number
  /** Why it is held, or the last thing that went wrong. */
  readonly reason: string | null
  readonly deliveredMs: number | null
  readonly deletions: number
  /** When its deletion was last asked for; null: never. */
  readonly deletedMs: number | null
  /** Since when complete listings lacked it; null: they did not. */
  readonly goneSinceMs: number | null
  readonly deletion: PendingDeletion | null
  readonly harm: Harm | null
  /** Of a message in any state, in the order of destination and recipient. */
  readonly deliveries: readonly DeliveryRecord[]
}

/** How many messages of an account are not settled. */
export interface Unsettled {
  /** Open, none of its deliveries refused. */
  readonly waiting: number
  readonly refused: number
  readonly held: number
  /** A deletion of theirs is outstanding; they may be counted above as well. */
  readonly undeleted: number
}

/** How many messages a destination lacks: of those that are open, and for one of its recipients at least. */
export interface Lacking {
  /** Not delivered, and not refused for good. */
  readonly waiting: number
  /** A message of which one recipient waits and another was refused is counted in both. */
  readonly refused: number
  /** When the oldest of the waiting ones was first seen; null: none waits. */
  readonly oldestMs: number | null
}

/** What one day brought to an account. */
export interface Day extends DayCounts {
  /** Its first moment, UTC. */
  readonly startMs: number
}

/** Messages that wait for their next try: for the time being, for good, until a person says so. `elsewhere`: for another machine, which
 *  alone can see what became of the last one (Delivery.machine). */
export type Waiting = 'deferred' | 'refused' | 'held' | 'elsewhere'

/** What people look up and mend in a ledger. No poll needs it. */
export interface Records {
  /** The account's messages in the order in which they were first seen, in slices that are short enough for a turn of the
   *  loop. What changes meanwhile is given as it was or as it is. An unknown account has none. */
  list(account: string, selection: Selection): AsyncIterable<readonly MessageRecord[]>

  /** The messages that came under this UIDL, by copy number; none: it is not known. */
  find(account: string, uidl: string): Promise<readonly MessageRecord[]>

  /** Of every account that has unsettled messages. Looks at each message of the ledger: 0.1 s for a million. */
  unsettled(): Promise<ReadonlyMap<string, Unsettled>>

  /** Of every destination that lacks messages, by the name under which their delivery was begun: one of the configuration, or of an
   *  earlier one. What is held counts for none. Looks at each message of the ledger, as `unsettled` does. */
  lacking(): Promise<ReadonlyMap<string, Lacking>>

  /** The first unsettled messages of every account that has some; waiting ones come last. At most `ofAccount` that wait, as
   *  many that are refused or held, and `inAll` over all accounts. Looks at each message of the ledger, as `unsettled` does. */
  outstanding(most: {
    readonly ofAccount: number
    readonly inAll: number
  }): Promise<ReadonlyMap<string, readonly MessageRecord[]>>

  /** The counts of every account for the last `days` days, the oldest first. A day on which nothing was counted is left out, and
   *  so is an account that has none. At most DAYS_KEPT days are there. `accounts`: only of these. */
  days(days: number, accounts?: readonly string[]): Promise<ReadonlyMap<string, readonly Day[]>>

  /** How many messages of the account have a deletion outstanding. Quick, however many the account has. */
  undeleted(account: string): Promise<number>

  /** How many of `uidls` each of `accounts` knows; an account that knows none is left out. */
  owners(accounts: readonly string[], uidls: readonly string[]): Promise<ReadonlyMap<string, number>>

  /** Removes these messages, so that the next poll that lists them treats them as new. Gives their number. */
  forget(lease: Lease, keys: readonly EntryKey[], facts: FactChanges): Promise<number>

  /** The same for all of them, in many short transactions: cut short, it is simply done again. */
  forgetAll(lease: Lease, facts: FactChanges): Promise<number>

  /** Messages that wait in one of these ways are due now: their pauses are over. Held ones are open again, their lost answers
   *  and attempts no longer counted. An attempt that was made elsewhere counts as made here: what this machine does not see of it
   *  has not arrived. Gives how many there were. */
  retry(lease: Lease, which: readonly Waiting[]): Promise<number>

  /** Accounts that nobody is at work on, and that have attempts of this machine without an outcome; in the order of their names. None
   *  where all is on one machine: whoever polls next looks for them. */
  cutOff(): Promise<readonly string[]>

  /** Removes an account and what was remembered of its polls. The caller has forgotten its messages; rejects with ERR_BUG when
   *  it has some. */
  remove(lease: Lease): Promise<void>

  /** Gives all that is recorded of `from` to `to`, its pause as well, at once or not at all. False, and nothing is changed, when `to` has
   *  messages of its own. `from` is known. */
  rename(from: Lease, to: Lease): Promise<boolean>

  /** Forgets From, Subject and Date of every message that is delivered or skipped, or of all. In slices; cut short, it is done again. */
  dropHeadings(keep: 'open' | 'none'): Promise<void>

  /** Merges facts into those of an account. An unknown account: nothing happens. */
  note(account: string, facts: FactChanges): Promise<void>

  /** A copy of the whole ledger as of now, in a new file that only its owner can read. Resolves when it would survive a power
   *  cut. Rejects, and leaves nothing behind, when there is a file of this name. Polls may go on meanwhile. */
  backup(file: string): Promise<void>

  /** Keeps two copies of the whole ledger from the last days, for accidents (`state.backup`): makes one where the last is a day old, once
   *  for all processes. `short`: that would leave less than `keepFree` says of the disk's bytes. `elsewhere`: this kind of ledger has a
   *  way of its own. Rejects where the ledger is damaged or a copy cannot be written; older copies stay. Polls may go on. */
  copyDaily(keepFree: (diskBytes: number) => number): Promise<'taken' | 'not due' | 'short' | 'elsewhere'>
}
