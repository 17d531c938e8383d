// The words in which both contracts, that of polls (ledger.ts) and that of people (records.ts), speak of a message.

import type { Heading } from '../message.ts'

/** Identifies a message of an account. `uidl`: latin1 text of the bytes; see Origin. */
export interface EntryKey {
  readonly uidl: string
  readonly copy: number
}

/** An entry to be remembered as `seen`. */
export interface SeenEntry {
  readonly key: EntryKey
  readonly listedBytes: number | null
  /** When another program saw it first; a time to come counts as now. Null or absent: now. */
  readonly firstSeenMs?: number | null
  /** Another program delivered it, and that counts as our own delivery. It becomes `delivered`, without a delivery of ours, and
   *  so does one that is known as `seen`. */
  readonly delivered?: boolean
}

/** What the header of a message says that popfetch did not receive. */
export interface ShownHeader {
  readonly key: EntryKey
  readonly listedBytes: number | null
  readonly fingerprint: Buffer
  readonly messageId: string | null
  readonly heading: Heading
}

/** `open`: some delivery is not done. `delivered`: all are. `seen`: skipped by `first`, never deleted, never fetched.
 *  `held`: kept back (too large, poisonous, a loop, three unknown answers); fetched again only when a person says so. */
export type MessageState = 'open' | 'delivered' | 'seen' | 'held'

/** `pending`: fixed as a target, not tried. `started`: tried, outcome not recorded. `done`. `refused`: for good, as it is.
 *  `unknown`: may have been delivered. `failed`: the last try failed for the time being. */
export type DeliveryState = 'pending' | 'started' | 'done' | 'refused' | 'unknown' | 'failed'

/** One message, to one destination, for one recipient: how far that is. */
export interface Delivery {
  readonly destination: string
  readonly recipient: string
  readonly state: DeliveryState
  /** Of the last attempt; '' before the first. */
  readonly intent: string
  readonly attempts: number
  /** How many attempts ended without an answer. */
  readonly unknowns: number
  /** How often it was refused, as far as that counts (Outcome). */
  readonly refusals: number
  /** How often it failed for the time being, as far as that counts. */
  readonly deferrals: number
  /** Not to be tried again before then; 0: any time. */
  readonly dueAfterMs: number
  /** Was the last attempt handed over (Ledger.handOver)? One that was not, has not arrived. */
  readonly handedOver: boolean
  /** What the last answer was concluded to, in the words of deliver/answers/conclusions.ts, or which of several it waits
   *  for (poll/route/chain.ts); null: there was none. */
  readonly conclusion: string | null
  readonly error: string | null
  /** On which machine the last attempt was made; null: on whichever has the ledger (Ledger.machine). A Maildir or an mbox may be there alone. */
  readonly machine: string | null
}

/** A deletion that was wanted and has not happened. */
export interface PendingDeletion {
  readonly wantedSinceMs: number
  /** How often DELE was sent. */
  readonly tried: number
  readonly reason: string
}

/** What destroyed a session when it was asked of a message in this place. */
export interface Harm {
  readonly command: 'RETR' | 'TOP' | 'DELE'
  readonly times: number
  readonly lastMs: number
}

/** Read its fields, do not copy it with `...`: the digests are made when they are asked for, most never are. */
export interface KnownMessage {
  readonly state: MessageState
  readonly firstSeenMs: number
  /** As the server announced it when it was first retrieved; null: never announced. */
  readonly listedBytes: number | null
  readonly receivedBytes: number | null
  readonly fingerprint: Buffer | null
  readonly digest: Buffer | null
  /** How often it was begun without being finished: neither settled nor abandoned (P122). */
  readonly attempts: number
  /** When the first of its deliveries that are not done may be tried again; 0: any time. */
  readonly retryAfterMs: number
  /** How many sessions asked for its deletion and ended well (P134). */
  readonly deletions: number
  /** Why it is held, or the last thing that went wrong. */
  readonly reason: string | null
  /** Since when complete listings lacked it; null: they did not. */
  readonly goneSinceMs: number | null
  /** Null: none is outstanding. */
  readonly deletion: PendingDeletion | null
  /** Null: it destroyed no session. */
  readonly harm: Harm | null
  /** See Heading; null: it was not retrieved yet, or has none. */
  readonly from: string | null
  readonly subject: string | null
  /** Of an `open` or `held` message; empty for the others. */
  readonly deliveries: readonly Delivery[]
}
