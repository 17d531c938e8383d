// The answers to LIST and UIDL, joined by message number (P087), in columns: a million entries are a few arrays (P103). Pure.
// Absent, doubled and odd lines leave gaps, never an entry with the wrong UIDL.
import { randomInt } from 'node:crypto'
import { type Column, emptyColumn, isBlank, type ListParser } from './list-parser.ts'

export interface ListingEntry {
  /** Its place in the listing, from 0. */
  readonly index: number
  /** Of this session only; never stored (P141). */
  readonly number: number
  /** Latin1 text of the UIDL's bytes; '' when the server gave none (P086, P091). */
  readonly uidl: string
  /** 0 for the first entry with this UIDL, 1 for the second … (P095). */
  readonly copy: number
  /** As announced; null when not or absurdly. A hint (P101). */
  readonly sizeBytes: number | null
}

export class Listing {
  readonly length: number
  /** False: the server refused UIDL altogether. */
  readonly hasUidls: boolean
  readonly totalBytes: number
  readonly #numbers: Uint32Array
  readonly #sizes: Float64Array
  readonly #uidlStarts: Uint32Array
  readonly #uidlEnds: Uint32Array
  readonly #texts: Buffer
  readonly #copies: ReadonlyMap<number, number>

  /** `uidls` null: UIDL was refused. */
  constructor(sizes: ListParser, uidls: ListParser | null) {
    const left = sizes.finish()
    const right = uidls?.finish() ?? emptyColumn
    let length = 0
    join(left, right, () => length++)
    this.length = length
    this.hasUidls = uidls !== null
    this.#numbers = new Uint32Array(length)
    this.#sizes = new Float64Array(length).fill(-1)
    this.#uidlStarts = new Uint32Array(length)
    this.#uidlEnds = new Uint32Array(length)
    this.#texts = right.texts
    let row = 0
    let total = 0
    join(left, right, (number, l, r) => {
      this.#numbers[row] = number
      const size = l < 0 ? -1 : parseSize(left.texts, left.start(l), left.end(l))
      this.#sizes[row] = size
      if (size > 0) total += size
      if (r >= 0) {
        this.#uidlStarts[row] = right.start(r)
        this.#uidlEnds[row] = right.end(r)
      }
      row++
    })
    this.totalBytes = total
    this.#copies = this.#findCopies()
  }

  /** The entries from `from` up to `to`, as objects made for this call. */
  slice(from: number, to: number): ListingEntry[] {
    const entries: ListingEntry[] = []
    for (let index = from; index < Math.min(to, this.length); index++) {
      const size = this.#sizes[index] ?? -1
      entries.push({
        index,
        number: this.#numbers[index] ?? 0,
        uidl: this.#texts.toString('latin1', this.#uidlStarts[index] ?? 0, this.#uidlEnds[index] ?? 0),
        copy: this.#copies.get(index) ?? 0,
        sizeBytes: size < 0 ? null : size,
      })
    }
    return entries
  }

  /** The UIDLs that stand for more than one entry (P095). */
  sharedUidls(): ReadonlySet<string> {
    return new Set([...this.#copies.keys()].map((index) => this.slice(index, index + 1)[0]?.uidl ?? ''))
  }

  /** Entries that share a UIDL with an earlier one, found with a table of row numbers: no strings, no objects. */
  #findCopies(): Map<number, number> {
    const copies = new Map<number, number>()
    /** First row with a UIDL that is there more than once → how many were found so far. */
    const found = new Map<number, number>()
    let slots = 16
    while (slots < this.length * 2) slots *= 2
    const table = new Uint32Array(slots)
    // Senders can choose UIDs (P096); they cannot know the seed, so they cannot make them collide.
    const seed = randomInt(0x7fffffff)
    for (let row = 0; row < this.length; row++) {
      const start = this.#uidlStarts[row] ?? 0
      const end = this.#uidlEnds[row] ?? 0
      if (start === end) continue
      let hash = seed
      for (let at = start; at < end; at++) hash = Math.imul(hash ^ (this.#texts[at] ?? 0), 0x01000193)
      let slot = (hash ^ (hash >>> 15)) & (slots - 1)
      for (;;) {
        const first = (table[slot] ?? 0) - 1
        if (first < 0) {
          table[slot] = row + 1
          break
        }
        if (this.#same(first, start, end)) {
          const copy = found.get(first) ?? 1
          copies.set(row, copy)
          found.set(first, copy + 1)
          break
        }
        slot = (slot + 1) & (slots - 1)
      }
    }
    return copies
  }

  #same(row: number, start: number, end: number): boolean {
    const otherStart = this.#uidlStarts[row] ?? 0
    const otherEnd = this.#uidlEnds[row] ?? 0
    return (
      otherEnd - otherStart === end - start && this.#texts.compare(this.#texts, start, end, otherStart, otherEnd) === 0
    )
  }
}

/** Both columns in step, ascending by number; an index is -1 where that column has no such number. */
function join(left: Column, right: Column, visit: (number: number, l: number, r: number) => void): void {
  for (let l = 0, r = 0; l < left.length || r < right.length;) {
    const leftNumber = l < left.length ? left.number(l) : Infinity
    const rightNumber = r < right.length ? right.number(r) : Infinity
    const number = Math.min(leftNumber, rightNumber)
    visit(number, leftNumber === number ? l++ : -1, rightNumber === number ? r++ : -1)
  }
}

/** -1 for anything that is not a plain number of octets (P101). */
function parseSize(texts: Buffer, start: number, end: number): number {
  let size = 0
  let at = start
  for (let byte = texts[at]; at < end && byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = texts[++at]) {
    size = size * 10 + (byte - 0x30)
  }
  return at > start && at - start <= 15 && (at === end || isBlank(texts[at])) ? size : -1
}
