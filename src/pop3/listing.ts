// The answers to LIST and UIDL, joined by message number, in columns: a million entries are a few arrays, not a million
// objects (P103). Pure. The lines are hostile: numbers never index or size memory, a bad line costs only itself (P088).
import { randomInt } from 'node:crypto'
import { PopfetchError } from '../errors.ts'

/** A longer line is dropped: no server has such UIDs, and the message is treated as one without (P092, P104). */
const LINE_LIMIT = 16_384
/** Entries of one listing; past that it is an attack or a fault (P104). */
export const LISTING_LIMIT = 5_000_000

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09

/** One answer, parsed as it streams in: number → the bytes after it. */
export class ListParser {
  #numbers: Float64Array = new Float64Array(1024)
  #starts: Float64Array = new Float64Array(1024)
  #ends: Float64Array = new Float64Array(1024)
  #texts: Buffer = Buffer.allocUnsafe(16_384)
  #textBytes = 0
  #count = 0
  #carry: Buffer | null = null
  #skipping = false
  #ascending = true

  /** Takes the next bytes of the multi-line answer. Throws ERR_POP3_PROTOCOL past LISTING_LIMIT. */
  feed(chunk: Buffer): void {
    let start = 0
    for (let newline = chunk.indexOf(LF, 0); newline >= 0; newline = chunk.indexOf(LF, start)) {
      if (this.#carry !== null || this.#skipping) this.#endCarry(chunk.subarray(start, newline))
      else this.#line(chunk, start, newline)
      start = newline + 1
    }
    if (start === chunk.length || this.#skipping) return
    const rest = chunk.subarray(start)
    this.#carry = this.#carry === null ? Buffer.from(rest) : Buffer.concat([this.#carry, rest])
    if (this.#carry.length > LINE_LIMIT) {
      this.#carry = null
      this.#skipping = true
    }
  }

  #endCarry(rest: Buffer): void {
    if (!this.#skipping) {
      const line = Buffer.concat([this.#carry ?? Buffer.alloc(0), rest])
      if (line.length <= LINE_LIMIT) this.#line(line, 0, line.length)
    }
    this.#carry = null
    this.#skipping = false
  }

  #line(bytes: Buffer, start: number, newline: number): void {
    let end = newline
    if (end > start && bytes[end - 1] === CR) end--
    let at = start
    // Some servers put `+OK ` before every line (P090).
    if (end - at > 4 && bytes[at] === 0x2b && bytes.toString('latin1', at, at + 4).toUpperCase() === '+OK ') at += 4
    let number = 0
    const digits = at
    for (let byte = bytes[at]; at < end && byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = bytes[++at]) {
      number = number * 10 + (byte - 0x30)
    }
    if (at === digits || at - digits > 10 || number === 0) return
    if (at < end && bytes[at] !== SPACE && bytes[at] !== TAB) return
    while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++
    this.#push(number, bytes, at, end)
  }

  #push(number: number, bytes: Buffer, start: number, end: number): void {
    if (this.#count >= LISTING_LIMIT) {
      throw new PopfetchError('ERR_POP3_PROTOCOL', `the server lists more than ${LISTING_LIMIT} messages`, {
        scope: 'account',
        retry: 'later',
      })
    }
    if (this.#count === this.#numbers.length) {
      this.#numbers = grown(this.#numbers)
      this.#starts = grown(this.#starts)
      this.#ends = grown(this.#ends)
    }
    const size = end - start
    if (this.#textBytes + size > this.#texts.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#texts.length * 2, this.#textBytes + size))
      this.#texts.copy(larger, 0, 0, this.#textBytes)
      this.#texts = larger
    }
    bytes.copy(this.#texts, this.#textBytes, start, end)
    if (this.#count > 0 && number <= (this.#numbers[this.#count - 1] ?? 0)) this.#ascending = false
    this.#numbers[this.#count] = number
    this.#starts[this.#count] = this.#textBytes
    this.#textBytes += size
    this.#ends[this.#count] = this.#textBytes
    this.#count++
  }

  /** What was listed, ascending by number; a number that was listed twice is left out (P088). */
  finish(): Column {
    const order = this.#ascending ? null : this.#sorted()
    return {
      length: order?.length ?? this.#count,
      at: (index) => {
        const row = order === null ? index : (order[index] ?? 0)
        return { number: this.#numbers[row] ?? 0, start: this.#starts[row] ?? 0, end: this.#ends[row] ?? 0 }
      },
      texts: this.#texts,
    }
  }

  #sorted(): Uint32Array {
    const numbers = this.#numbers
    const order = Uint32Array.from({ length: this.#count }, (_, index) => index)
    order.sort((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0))
    return order.filter(
      (row, at) => numbers[row] !== numbers[order[at - 1] ?? -1] && numbers[row] !== numbers[order[at + 1] ?? -1],
    )
  }
}

interface Column {
  readonly length: number
  at(index: number): { readonly number: number; readonly start: number; readonly end: number }
  readonly texts: Buffer
}

export interface ListingEntry {
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
  readonly #numbers: Float64Array
  readonly #sizes: Float64Array
  readonly #uidlStarts: Float64Array
  readonly #uidlEnds: Float64Array
  readonly #texts: Buffer
  readonly #copies: ReadonlyMap<number, number>

  /** Joins by number what the two answers say; `uidls` null: UIDL was refused. */
  constructor(sizes: ListParser, uidls: ListParser | null) {
    const left = sizes.finish()
    const right = uidls?.finish() ?? { length: 0, at: () => ({ number: 0, start: 0, end: 0 }), texts: Buffer.alloc(0) }
    const most = left.length + right.length
    this.#numbers = new Float64Array(most)
    this.#sizes = new Float64Array(most)
    this.#uidlStarts = new Float64Array(most)
    this.#uidlEnds = new Float64Array(most)
    this.#texts = right.texts
    this.hasUidls = uidls !== null
    let count = 0
    let total = 0
    for (let l = 0, r = 0; l < left.length || r < right.length; count++) {
      const leftRow = l < left.length ? left.at(l) : null
      const rightRow = r < right.length ? right.at(r) : null
      const number = Math.min(leftRow?.number ?? Infinity, rightRow?.number ?? Infinity)
      this.#numbers[count] = number
      this.#sizes[count] = -1
      if (leftRow?.number === number) {
        const size = parseSize(left.texts, leftRow.start, leftRow.end)
        this.#sizes[count] = size
        if (size > 0) total += size
        l++
      }
      if (rightRow?.number === number) {
        this.#uidlStarts[count] = rightRow.start
        this.#uidlEnds[count] = rightRow.end
        r++
      }
    }
    this.length = count
    this.totalBytes = total
    this.#copies = this.#findCopies()
  }

  /** The entries from `from` up to `to`, as objects made for this call. */
  slice(from: number, to: number): ListingEntry[] {
    const entries: ListingEntry[] = []
    for (let index = from; index < Math.min(to, this.length); index++) {
      const size = this.#sizes[index] ?? -1
      entries.push({
        number: this.#numbers[index] ?? 0,
        uidl: this.#texts.toString('latin1', this.#uidlStarts[index] ?? 0, this.#uidlEnds[index] ?? 0),
        copy: this.#copies.get(index) ?? 0,
        sizeBytes: size < 0 ? null : size,
      })
    }
    return entries
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

/** -1 for anything that is not a plain number of octets (P101). */
function parseSize(texts: Buffer, start: number, end: number): number {
  let size = 0
  let at = start
  for (let byte = texts[at]; at < end && byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = texts[++at]) {
    size = size * 10 + (byte - 0x30)
  }
  const clean = at > start && at - start <= 15 && (at === end || texts[at] === SPACE || texts[at] === TAB)
  return clean ? size : -1
}

function grown(column: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(column.length * 2)
  larger.set(column)
  return larger
}
