// What differs between a listing and the ledger × policy × now → what to do. Pure. Takes the listing in batches, so that a
// million known messages cost a count, not a million objects. The one rule: what is not clearly known is fetched, what is
// not clearly delivered is not deleted.
import { NO_UIDL } from './no-uidl.ts'
import type { FirstPolicy } from '../../config/schema.ts'
import type { Delivery, EntryKey, KnownMessage, Settled } from '../../ledger/ledger.ts'
import { BitSet } from '../../bit-set.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import { fitsNow } from './held-for-size.ts'
import { isLost, isLostTooOften, LOST_ANSWERS, type Shows } from './lost-answers.ts'
import { hasCome } from './moments.ts'
import {
  isDeferred,
  isDue,
  isDueMessage,
  isFresh,
  MOST_ATTEMPTS,
  type PlannedDeletion,
  type PlannedFetch,
  type PlannedHold,
} from './entry.ts'

export interface Policy {
  readonly delete:
    | { readonly kind: 'never' }
    | { readonly kind: 'after-delivery' }
    | { readonly kind: 'age'; readonly ageMs: number }
  /** `older`: the places of what is older. */
  readonly first: Exclude<FirstPolicy, { readonly kind: 'since' }> | { readonly kind: 'since'; readonly older: BitSet }
  /** The smaller of the account's limit and the run's; null: none. */
  readonly limit: number | null
  readonly maxSizeBytes: number | null
  /** A session that fetched this many ends, so that its deletions are committed, and another one goes on (P154). */
  readonly sessionLimit: number
  /** Deliver again what was delivered. */
  readonly all: boolean
  /** Fetch what `first` skipped, too. */
  readonly skippedToo: boolean
  /** A person says that what is not known counts as seen; of a ledger that was `restored`, what is open as well (S047). */
  readonly markSeen: boolean
  readonly restored: boolean
  /** A person asks: what was deferred is due now. */
  readonly eager: boolean
  readonly shows: Shows
  readonly isPaused: (destination: string) => boolean
}

export interface Plan {
  readonly listed: number
  readonly new: number
  readonly skipped: number
  /** Held, refused or deferred earlier and not due now. */
  readonly waiting: number
  /** Those of them that are held: only a person, or a larger `maxSize`, makes them due. */
  readonly held: number
  /** Those of them that a destination lacks for the time being. */
  readonly deferred: number
  /** When the first of those was first seen; null: there are none. */
  readonly deferredSinceMs: number | null
  /** Waiting ones, beside those, that only destinations lack that a person paused. */
  readonly paused: number
  /** Messages without a UIDL: the ledger cannot know them (P086, P091). */
  readonly withoutUidl: number
  /** New ones in the order of the listing; those that failed before come last (P122). */
  readonly fetch: readonly PlannedFetch[]
  /** To be fetched too, but more than one session should carry. */
  readonly left: number
  /** Of those, by their places in the listing: new ones that the listing alone tells, so that this session may go on with them. With
   *  a `limit` there may be more of them than `left`. */
  readonly more: BitSet
  readonly deletions: readonly PlannedDeletion[]
  /** Their deletion was wanted once, and is not any more. */
  readonly reprieved: readonly EntryKey[]
  /** First seen by a clock that was ahead: their age begins now (S040). */
  readonly fromFuture: readonly EntryKey[]
  readonly holds: readonly PlannedHold[]
  /** To be remembered as seen, and the account as started; null: it was started before. */
  readonly seen: Seen | null
  /** Skipped messages that the ledger took over from a destination that shows them, and that others may lack. The ledger
   *  forgets that. */
  readonly unadopted: readonly EntryKey[]
  /** Not before then is a delivered message old enough to be deleted that is not yet; null: `delete` has no age, or nothing is to
   *  become that old. */
  readonly agesMs: number | null
}

/** Entries that `first` skips; there may be a million of them (P103). */
export interface Seen {
  /** By their place in the listing. */
  readonly places: BitSet
  /** Those that the listing does not tell: without a UIDL, or one of several. */
  readonly nameless: readonly ListingEntry[]
}

export class Planner {
  readonly #policy: Policy
  readonly #nowMs: number
  readonly #agedMs: number | null
  readonly #isCounted: (entry: ListingEntry) => boolean
  /** Entries at the start of the listing that `first` skips; 0 on any but the very first poll. */
  #skipFirst: number
  #older: BitSet | null
  readonly #firstPoll: boolean
  readonly #listed: number
  #new = 0
  #skipped = 0
  #waiting = 0
  #held = 0
  #deliveredSinceMs = Infinity
  #deferred = 0
  #deferredSinceMs: number | null = null
  #paused = 0
  #withoutUidl = 0
  #left = 0
  readonly #more = new BitSet()
  readonly #fresh: PlannedFetch[] = []
  readonly #again: PlannedFetch[] = []
  readonly #deletions: PlannedDeletion[] = []
  readonly #reprieved: EntryKey[] = []
  readonly #fromFuture: EntryKey[] = []
  readonly #holds: PlannedHold[] = []
  readonly #seen = new BitSet()
  readonly #namelessSeen: ListingEntry[] = []
  readonly #unadopted: EntryKey[] = []

  /** `listed`: the length of the whole listing. `started`: was an earlier listing of this account dealt with? `agedMs`: up
   *  to when ages are counted, null: nothing is old enough (age-clock.ts). `isCounted`: did an earlier session of this poll
   *  count it as deferred? */
  constructor(
    policy: Policy,
    listed: number,
    started: boolean,
    nowMs: number,
    agedMs: number | null,
    isCounted: (entry: ListingEntry) => boolean = () => false,
  ) {
    this.#isCounted = isCounted
    this.#policy = policy
    this.#listed = listed
    this.#nowMs = nowMs
    this.#agedMs = agedMs
    this.#firstPoll = !started
    this.#skipFirst = started ? 0 : skippedByFirst(policy.first, listed)
    this.#older = started || policy.first.kind !== 'since' ? null : policy.first.older
  }

  /** `first` does not apply: this is no new account. Call before an unknown entry is added. */
  keepAll(): void {
    this.#skipFirst = 0
    this.#older = null
  }

  /** Does `first` skip something? */
  get skipsFirst(): boolean {
    return this.#skipFirst > 0 || (this.#older?.size ?? 0) > 0
  }

  /** This many entries cannot be told from each other and are left alone: no UIDL, and the server shows no header. */
  leave(entries: number): void {
    this.#withoutUidl += entries
  }

  /** This many entries are known and settled (settledBy). `deliveredSinceMs`: when the first delivered one was first seen. */
  skip(entries: number, deliveredSinceMs: number | null = null): void {
    this.#skipped += entries
    this.#deliveredSinceMs = Math.min(this.#deliveredSinceMs, deliveredSinceMs ?? Infinity)
  }

  /** An entry of the listing, in any order, and what the ledger knows of it. `isPlain`: it is exactly as the listing has it. */
  add(entry: ListingEntry, known: KnownMessage | null, isPlain = false): void {
    if (known === null) {
      this.#new++
      if (this.#policy.markSeen || entry.index < this.#skipFirst || this.#older?.has(entry.index)) this.#see(entry)
      else this.#wanted(entry, null, isPlain)
      return
    }
    // Said by a clock that two polls saw.
    if (this.#agedMs !== null && known.firstSeenMs > this.#nowMs)
      this.#fromFuture.push({ uidl: entry.uidl, copy: entry.copy })
    switch (known.state) {
      case 'seen':
        if (this.#policy.skippedToo) this.#wanted(entry, known)
        else this.#skipped++
        return
      case 'delivered':
        if (this.#policy.all) this.#wanted(entry, known)
        else this.#delivered(entry, known)
        return
      case 'held':
        if (this.#fitsNow(entry, known)) this.#wanted(entry, known)
        else {
          this.#waiting++
          this.#held++
        }
        return
      case 'open':
        this.#open(entry, known)
        return
    }
  }

  /** Is nothing to be done about the message, whichever entry of its UIDL it is? */
  isIdle(entry: ListingEntry, known: KnownMessage): boolean {
    const { all, skippedToo, markSeen, delete: policy } = this.#policy
    if (all || skippedToo || (markSeen && mayBeSeen(known, this.#policy))) return false
    switch (known.state) {
      case 'seen':
        return true
      case 'delivered':
        return known.deletion === null && !mayDelete(policy, known.firstSeenMs, this.#agedMs)
      case 'held':
        return !this.#fitsNow(entry, known)
      case 'open':
        return !this.#isDue(known)
    }
  }

  #delivered(entry: ListingEntry, known: KnownMessage): void {
    if (mayDelete(this.#policy.delete, known.firstSeenMs, this.#agedMs)) this.#deletions.push({ ...entry, known })
    else if (known.deletion !== null) this.#reprieved.push({ uidl: entry.uidl, copy: entry.copy })
    this.#deliveredSinceMs = Math.min(this.#deliveredSinceMs, known.firstSeenMs)
    this.#skipped++
  }

  #see(entry: ListingEntry): void {
    // Beside copies that are known, the listing alone does not tell which copy it is.
    if (hasNoUidl(entry) || (!this.#firstPoll && entry.copy > 0)) this.#namelessSeen.push(entry)
    else this.#seen.add(entry.index)
    this.#skipped++
  }

  #open(entry: ListingEntry, known: KnownMessage): void {
    if (this.#policy.markSeen && mayBeSeen(known, this.#policy)) {
      this.#unadopted.push({ uidl: entry.uidl, copy: entry.copy })
      this.#see(entry)
    } else if (!this.#policy.all && !this.#isDue(known)) {
      this.#waiting++
      const deferred = this.#isCounted(entry) ? [] : known.deliveries.filter(isDeferred)
      if (deferred.length > 0 && deferred.every(({ destination }) => this.#policy.isPaused(destination))) this.#paused++
      else if (deferred.length > 0) {
        this.#deferred++
        this.#deferredSinceMs = Math.min(this.#deferredSinceMs ?? Infinity, known.firstSeenMs)
      }
    } else if (known.attempts >= MOST_ATTEMPTS) {
      this.#holds.push({ ...entry, known, reason: `begun ${known.attempts} times without being finished` })
    } else if (isLostTooOften(known.deliveries, this.#policy.shows)) {
      this.#holds.push({ ...entry, known, reason: LOST_ANSWERS })
    } else this.#wanted(entry, known)
  }

  #isDue({ retryAfterMs, deliveries }: KnownMessage): boolean {
    const { eager, shows } = this.#policy
    // What was lost too often is not asked for again, and waits for nothing.
    const left = isLostTooOften(deliveries, shows) ? deliveries : deliveries.filter((one) => !isLost(one, shows))
    const isWaited = left.length === deliveries.length && hasCome(retryAfterMs, this.#nowMs)
    return isWaited || left.some((delivery) => isDue(delivery, this.#nowMs, eager))
  }

  #wanted(entry: ListingEntry, known: KnownMessage | null, isPlain = false): void {
    const { maxSizeBytes, sessionLimit } = this.#policy
    const isTooLarge = maxSizeBytes !== null && entry.sizeBytes !== null && entry.sizeBytes > maxSizeBytes
    if (isPlain && !isTooLarge && this.#fresh.length >= sessionLimit) this.#more.add(entry.index)
    else if (this.#fresh.length >= 2 * sessionLimit) this.#left++
    else if (isTooLarge) {
      this.#holds.push({ ...entry, reason: `too large: ${entry.sizeBytes} bytes, maxSize is ${maxSizeBytes}` })
    } else if (isFresh({ known })) this.#fresh.push({ ...entry, known })
    else this.#again.push({ ...entry, known })
  }

  #fitsNow({ sizeBytes }: ListingEntry, known: KnownMessage): boolean {
    return fitsNow({ ...this.#policy, sizeBytes }, known)
  }

  finish(): Plan {
    this.#fresh.sort((a, b) => a.index - b.index)
    this.#again.sort((a, b) => rankOf(a) - rankOf(b) || (a.known?.attempts ?? 0) - (b.known?.attempts ?? 0))
    const all = [...this.#fresh, ...this.#again]
    const { limit, sessionLimit, delete: policy } = this.#policy
    const agesMs = policy.kind === 'age' ? this.#deliveredSinceMs + policy.ageMs : Infinity
    const wanted = Math.min(all.length + this.#more.size + this.#left, limit ?? Infinity)
    return {
      listed: this.#listed,
      new: this.#new,
      skipped: this.#skipped,
      waiting: this.#waiting,
      held: this.#held,
      deferred: this.#deferred,
      deferredSinceMs: this.#deferredSinceMs,
      paused: this.#paused,
      withoutUidl: this.#withoutUidl,
      fetch: all.slice(0, Math.min(wanted, sessionLimit)),
      left: Math.max(0, wanted - sessionLimit),
      more: this.#more,
      deletions: this.#deletions,
      reprieved: this.#reprieved,
      fromFuture: this.#fromFuture,
      holds: this.#holds,
      seen: this.#firstPoll || this.#policy.markSeen ? { places: this.#seen, nameless: this.#namelessSeen } : null,
      unadopted: this.#unadopted,
      agesMs: agesMs === Infinity ? null : agesMs,
    }
  }
}

/** Found at a destination, and never tried at those that may lack it? Or open, by a ledger that may not know that it came? */
function mayBeSeen({ state, receivedBytes, deliveries }: KnownMessage, { restored }: Policy): boolean {
  if (restored && state === 'open') return true
  const isUntried = ({ state, attempts }: Delivery): boolean => state === 'done' || attempts === 0
  return receivedBytes === null && deliveries.some(({ state }) => state === 'done') && deliveries.every(isUntried)
}

/** What was refused comes behind what was only deferred. */
function rankOf({ known }: PlannedFetch): number {
  return isDueMessage({ known }) ? 0 : 1
}

function hasNoUidl({ uidl }: ListingEntry): boolean {
  return uidl.startsWith(NO_UIDL)
}

function skippedByFirst(first: Policy['first'], listed: number): number {
  if (first.kind === 'new') return listed
  return first.kind === 'last' ? Math.max(0, listed - first.count) : 0
}

/** Does the policy want a delivered message gone? */
export function mayDelete(policy: Policy['delete'], firstSeenMs: number, agedMs: number | null): boolean {
  return firstSeenMs <= dueUpToMs(policy, agedMs)
}

/** Delivered messages that were first seen until then are due to be deleted. Ages count from when we first saw a message;
 *  one in the future is 0 (S031). */
function dueUpToMs(policy: Policy['delete'], agedMs: number | null): number {
  switch (policy.kind) {
    case 'never':
      return -Infinity
    case 'after-delivery':
      return Infinity
    case 'age':
      return agedMs === null ? -Infinity : agedMs - policy.ageMs
  }
}

/** The messages that `add` would only count as skipped. */
export function settledBy({ all, skippedToo, delete: policy }: Policy, agedMs: number | null, nowMs: number): Settled {
  return {
    deliveredUntilMs: agedMs === null ? Infinity : nowMs,
    seenAfterMs: skippedToo ? Infinity : -Infinity,
    deliveredAfterMs: all ? Infinity : dueUpToMs(policy, agedMs),
  }
}
