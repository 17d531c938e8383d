// Which entries of a long listing need nothing? Most of a mailbox is known and settled, and is in the listing as it stands
// in the ledger. So the two are compared by thousands, as bytes (P103). The one rule: whatever does not agree in every way is
// left to compare.ts, which looks at each entry.
import type { Comparison, SettledColumns } from '../../ledger/ledger.ts'
import type { Listing } from '../../pop3/listing/listing.ts'

const LF = 0x0a

export class SettledEntries {
  readonly #listing: Listing
  /** By place in the listing, one more than the position of a settled message; 0: not settled, or not known to be. */
  readonly #positions: Uint32Array
  readonly #comparesSizes: boolean
  #deliveredSinceMs: number | null = null
  /** Where the next message should stand, if the listing has them in the order of the ledger. */
  #next = 0

  constructor(listing: Listing, comparesSizes: boolean) {
    this.#listing = listing
    this.#positions = new Uint32Array(listing.length)
    this.#comparesSizes = comparesSizes
  }

  /** Call with all that the ledger has, before any of the others. */
  async add(slice: SettledColumns): Promise<void> {
    const count = slice.listedBytes.length
    const sinceMs = Math.min(this.#deliveredSinceMs ?? Infinity, slice.deliveredSinceMs ?? Infinity)
    this.#deliveredSinceMs = sinceMs === Infinity ? null : sinceMs
    if (this.#listing.reads(this.#next, count, slice.uidls)) {
      for (let at = 0; at < count; at++) this.#positions[this.#next + at] = slice.position + at + 1
      if (this.#comparesSizes) this.#leaveResized(slice.listedBytes)
      this.#next += count
      return
    }
    await this.#listing.tellCopies()
    for (let at = 0, start = 0; at < count; at++) {
      const end = slice.uidls.indexOf(LF, start)
      this.#addOne(slice, at, slice.uidls.subarray(start, end))
      start = end + 1
    }
  }

  #addOne({ position, listedBytes }: SettledColumns, at: number, uidl: Uint8Array): void {
    const place = this.#listing.find(uidl)
    if (place < 0) return
    this.#next = place
    this.#positions[place] = position + at + 1
    if (this.#comparesSizes) this.#leaveResized(listedBytes.subarray(at, at + 1))
    this.#next = place + 1
  }

  /** From the next place on: a message of another size may be another message (P098). */
  #leaveResized(listedBytes: Float64Array): void {
    const sizes = this.#listing.sizes(this.#next, this.#next + listedBytes.length)
    if (Buffer.compare(bytesOf(sizes), bytesOf(listedBytes)) === 0) return
    for (const [at, size] of sizes.entries()) {
      const listed = listedBytes[at] ?? -1
      if (size >= 0 && listed >= 0 && size !== listed) this.#positions[this.#next + at] = 0
    }
  }

  /** Not settled after all: their UIDL alone does not tell them (P095). */
  leave(places: Iterable<number>): void {
    for (const place of places) if (place >= 0) this.#positions[place] = 0
  }

  /** When the first delivered one was first seen, whether it is listed or not; null: none is delivered. */
  get deliveredSinceMs(): number | null {
    return this.#deliveredSinceMs
  }

  get areAll(): boolean {
    return !this.#positions.includes(0)
  }

  /** Tells the comparison that the listing shows them. */
  seeIn(comparison: Comparison): void {
    for (let place = 0; place < this.#positions.length; place++) {
      const after = this.#positions[place] ?? 0
      if (after > 0) comparison.see(after - 1)
    }
  }

  /** The places of the others, in batches. */
  *others(most: number): Generator<readonly number[]> {
    let places: number[] = []
    for (let place = this.#positions.indexOf(0); place >= 0; place = this.#positions.indexOf(0, place + 1)) {
      places.push(place)
      if (places.length < most) continue
      yield places
      places = []
    }
    if (places.length > 0) yield places
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
