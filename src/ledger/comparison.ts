// One listing held against what the ledger knows of an account. Part of the contract of ledger.ts. The one rule: messages have
// positions here, by which a poll says what the listing shows. How a ledger numbers its rows is its own affair.
import type { EntryKey, KnownMessage } from './entry.ts'
import type { Lease } from './lease.ts'

/** Which messages need nothing: those first seen after a time that depends on their state (Infinity: none), and delivered ones
 *  up to another time. */
export interface Settled {
  readonly seenAfterMs: number
  readonly deliveredAfterMs: number
  readonly deliveredUntilMs: number
}

/** Some messages with consecutive positions, each column in the same order. */
export interface SettledColumns {
  /** The position of the first. */
  readonly position: number
  /** The bytes of the UIDLs, an LF behind each. */
  readonly uidls: Buffer
  /** -1: never announced. */
  readonly listedBytes: Float64Array
  /** When the first of those that are delivered was first seen; null: none is. */
  readonly deliveredSinceMs: number | null
}

/** A message that a comparison gave. */
export interface ComparedMessage extends KnownMessage {
  readonly position: number
}

/** One of the messages that came under the same UIDL. */
export interface KnownCopy {
  readonly copy: number
  readonly known: ComparedMessage
}

/** A message whose header is known. */
export interface FingerprintedKey {
  readonly key: EntryKey
  readonly fingerprint: Buffer
}

/** Owned by whoever opened it. Each message that it gives has a position: a whole number from 0 on, which means nothing outside
 *  this comparison. Nothing but `gone` changes the ledger. Memory grows with what it gave, not with the ledger. It looks at
 *  the ledger as it is at each call; to a poll nothing changes meanwhile but what it changes itself. */
export interface Comparison extends AsyncDisposable {
  /** What makes a long listing quick to compare. The first copies that are settled, not gone, and without a deletion asked for
   *  or outstanding. They come in slices, mostly in the order in which they became known. Some may be left out; all of them
   *  where asking `known` for this many `entries` costs less. */
  settled(which: Settled, entries: number): AsyncIterable<SettledColumns>

  /** What is known of these entries, in their order; null: never seen. Up to 5,000 keys a call. */
  known(keys: readonly EntryKey[]): Promise<readonly (ComparedMessage | null)[]>

  /** All copies known of each of these UIDLs, by UIDL, ascending by number (P095); one without any is left out. */
  copies(uidls: readonly string[]): Promise<ReadonlyMap<string, readonly KnownCopy[]>>
  /** Is a message known under a stand-in (redact/stand-in.ts)? */
  hasStandIns(): Promise<boolean>
  /** All messages, in slices; their keys may be changed meanwhile. */
  keys(): AsyncIterable<readonly EntryKey[]>
  /** The UIDLs that have stood for more than one message (P095, P096, P098). */
  duplicated(): Promise<readonly string[]>

  /** The listing shows the message at this position, which this comparison gave. */
  see(position: number): void
  /** How many positions were seen. */
  readonly seen: number

  /** How many messages are known and not recorded as gone, now, and how many of them may be. They were asked to be deleted,
   *  whatever was answered. */
  counts(): Promise<{ readonly present: number; readonly removed: number }>
  /** After a whole listing, once all that it shows was seen: the messages that it lacks are gone since now. `keep`: they are
   *  never to be forgotten, but for those that were asked to be deleted; see Ledger.forget. Those of which nothing was ever
   *  received, or tried to be delivered, are forgotten at once: gives how many (S044). */
  gone(lease: Lease, options: { readonly keep: boolean }): Promise<number>

  /** Every message that was not seen and whose header is known, in slices. */
  unseenFingerprints(): AsyncIterable<readonly FingerprintedKey[]>
  /** Every message that was asked to be deleted, was not seen, and is not recorded as gone, in slices. */
  unseenRemoved(): AsyncIterable<readonly EntryKey[]>
  /** Every message that is recorded as gone, was never asked to be deleted, and whose header is known, in slices. */
  goneFingerprints(): AsyncIterable<readonly FingerprintedKey[]>
  /** How many skipped messages, or messages that another program delivered, were not seen. Only those that are not recorded as
   *  gone, and of which only the key is known (M010). */
  unseenBare(): Promise<number>
  /** Those of the given messages that were not seen. */
  unseen(keys: readonly EntryKey[]): Promise<readonly EntryKey[]>
}
