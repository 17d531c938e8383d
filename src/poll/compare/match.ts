// Entries of one UIDL held against the copies that are known of it (P095). For each question one pass over both, however many
// there are: a server, or a sender, may make a hundred thousand of them (P166).
import type { ComparedMessage, KnownCopy, KnownMessage } from '../../ledger/ledger.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import { isSame, type Look, type Looks } from './looks.ts'

export interface Identified {
  readonly entry: ListingEntry
  readonly known: ComparedMessage | null
}

export class Match {
  readonly #group: readonly ListingEntry[]
  readonly #copies: readonly KnownCopy[]
  readonly #headers: ReadonlyMap<ListingEntry, Look | null>
  readonly #byBytes: boolean
  readonly #left: Set<KnownCopy>
  readonly #found = new Map<ListingEntry, KnownCopy>()

  /** `byBytes`: all of them have the same header, and only the digest of a message tells which it is. */
  constructor(
    group: readonly ListingEntry[],
    copies: readonly KnownCopy[],
    headers: ReadonlyMap<ListingEntry, Look | null>,
    byBytes = false,
  ) {
    this.#group = group
    this.#byBytes = byBytes
    this.#copies = copies
    this.#headers = headers
    this.#left = new Set(copies)
  }

  get #unmatched(): readonly ListingEntry[] {
    return this.#left.size === 0 ? [] : this.#group.filter((entry) => !this.#found.has(entry))
  }

  #note(entry: ListingEntry, copy: KnownCopy): void {
    this.#found.set(entry, copy)
    this.#left.delete(copy)
  }

  /** Pairs each entry with the first copy that is left under the same key; null: it has none. */
  #pair(keyOfEntry: (entry: ListingEntry) => string | null, keyOfCopy: (known: KnownMessage) => string | null): void {
    const unmatched = this.#unmatched
    if (unmatched.length === 0) return
    const byKey = Map.groupBy(this.#left, ({ known }) => keyOfCopy(known))
    const next = new Map<string, number>()
    for (const entry of unmatched) {
      const key = keyOfEntry(entry)
      if (key === null) continue
      const at = next.get(key) ?? 0
      const copy = byKey.get(key)?.[at]
      if (copy === undefined) continue
      next.set(key, at + 1)
      this.#note(entry, copy)
    }
  }

  byHeader(): void {
    this.#pair(
      (entry) => this.#headers.get(entry)?.fingerprint.toString('hex') ?? null,
      ({ fingerprint }) => fingerprint?.toString('hex') ?? null,
    )
  }

  /** Messages that ended sessions when they were looked at, and never came (P110). Only their size is known. */
  byHarm(): void {
    this.#pair(
      ({ sizeBytes }) => String(sizeBytes),
      ({ state, harm, fingerprint, listedBytes }) =>
        state === 'open' && harm?.command === 'RETR' && fingerprint === null ? String(listedBytes) : null,
    )
  }

  /** A look at the header that found nothing is no proof: the whole message is (P158). */
  async byDigest(looks: Pick<Looks, 'whole' | 'settle' | 'loseTop'>): Promise<void> {
    const received = [...this.#left].filter(({ known }) => known.digest !== null && known.harm?.command !== 'RETR')
    const byDigest = Map.groupBy(received, ({ known }) => known.digest?.toString('hex'))
    const byPrint = Map.groupBy(received, ({ known }) => known.fingerprint?.toString('hex'))
    let left = received.length
    const next = this.#nextCopy
    for (const entry of this.#unmatched) {
      if (left === 0) return
      // If that ends the session, it counts as a new message.
      const look = await looks.whole({ ...entry, copy: next })
      if (look === null) continue
      const candidates = [
        ...(byDigest.get(look.whole?.digest.toString('hex')) ?? []),
        ...(this.#byBytes ? [] : (byPrint.get(look.fingerprint.toString('hex')) ?? [])),
      ]
      const copy = candidates.find((each) => this.#left.has(each) && isSame(each.known, look))
      if (copy === undefined) continue
      left--
      this.#note(entry, copy)
      looks.settle(entry)
      const header = this.#headers.get(entry)
      if (header === null || header?.fingerprint.equals(look.fingerprint) === false) looks.loseTop()
    }
  }

  /** What is left: copies whose header was never seen (skipped, not yet retrieved), or entries whose header is not shown. */
  bySize(isCurious: boolean): void {
    const isOpen = (known: KnownMessage): boolean => known.fingerprint === null
    const isHidden = (entry: ListingEntry): boolean => !isCurious && (this.#headers.get(entry) ?? null) === null
    this.#pair(
      ({ sizeBytes }) => String(sizeBytes),
      (known) => (isOpen(known) ? String(known.listedBytes) : null),
    )
    this.#pair(
      (entry) => (isHidden(entry) ? String(entry.sizeBytes) : null),
      ({ listedBytes }) => String(listedBytes),
    )
    this.#pair(
      ({ sizeBytes }) => (sizeBytes === null ? '' : null),
      (known) => (isOpen(known) ? '' : null),
    )
    this.#pair(
      () => '',
      (known) => (isOpen(known) && known.listedBytes === null ? '' : null),
    )
  }

  get #nextCopy(): number {
    return 1 + this.#copies.reduce((most, { copy }) => Math.max(most, copy), -1)
  }

  identified(): readonly Identified[] {
    let next = this.#nextCopy
    return this.#group.map((entry) => {
      const copy = this.#found.get(entry)
      return { entry: { ...entry, copy: copy?.copy ?? next++ }, known: copy?.known ?? null }
    })
  }
}
