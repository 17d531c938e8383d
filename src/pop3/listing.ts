// The answers to LIST and UIDL, joined by message number (P087), in columns: a million entries are a few arrays (P103). Pure.
// Absent, doubled and odd lines leave gaps, never an entry with the wrong UIDL.
import { randomInt } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
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

/** Rows that one turn of the event loop deals with: some milliseconds' worth (P103). */
const ROWS_PER_TURN = 20_000

interface Columns {
  readonly length: number
  readonly totalBytes: number
  readonly numbers: Uint32Array
  /** -1: not announced. */
  readonly sizes: Float64Array
  readonly uidlStarts: Uint32Array
  readonly uidlEnds: Uint32Array
  readonly texts: Buffer
  readonly copies: ReadonlyMap<number, number>
}

export class Listing {
  /** False: the server refused UIDL altogether. */
  readonly hasUidls: boolean
  readonly #columns: Columns

  private constructor(columns: Columns, hasUidls: boolean) {
    this.#columns = columns
    this.hasUidls = hasUidls
  }

  /** `uidls` null: UIDL was refused. The event loop turns meanwhile. */
  static async from(sizes: ListParser, uidls: ListParser | null): Promise<Listing> {
    const steps = joined(sizes, uidls)
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return new Listing(step.value, uidls !== null)
      await turn()
    }
  }

  /** Of few entries: all in one turn. */
  static ofFew(sizes: ListParser, uidls: ListParser | null): Listing {
    const steps = joined(sizes, uidls)
    let step = steps.next()
    while (step.done !== true) step = steps.next()
    return new Listing(step.value, uidls !== null)
  }

  get length(): number {
    return this.#columns.length
  }

  get totalBytes(): number {
    return this.#columns.totalBytes
  }

  /** The entries from `from` up to `to`, as objects made for this call. */
  slice(from: number, to: number): ListingEntry[] {
    const { numbers, sizes, uidlStarts, uidlEnds, texts, copies } = this.#columns
    const entries: ListingEntry[] = []
    for (let index = from; index < Math.min(to, this.length); index++) {
      const size = sizes[index] ?? -1
      entries.push({
        index,
        number: numbers[index] ?? 0,
        uidl: texts.toString('latin1', uidlStarts[index] ?? 0, uidlEnds[index] ?? 0),
        copy: copies.get(index) ?? 0,
        sizeBytes: size < 0 ? null : size,
      })
    }
    return entries
  }

  /** The UIDLs that stand for more than one entry (P095). */
  sharedUidls(): ReadonlySet<string> {
    return new Set([...this.#columns.copies.keys()].map((index) => this.slice(index, index + 1)[0]?.uidl ?? ''))
  }
}

/** Both lists in step, ascending by number. */
function* joined(sizeLines: ListParser, uidlLines: ListParser | null): Generator<void, Columns> {
  const left = sizeLines.finish()
  yield
  const right = uidlLines?.finish() ?? emptyColumn
  yield
  const most = yield* rowsOf(left, right)
  const numbers = new Uint32Array(most)
  const sizes = new Float64Array(most)
  const uidlStarts = new Uint32Array(most)
  const uidlEnds = new Uint32Array(most)
  let length = 0
  let totalBytes = 0
  for (let l = 0, r = 0; l < left.length || r < right.length; length++) {
    const leftNumber = l < left.length ? left.number(l) : Infinity
    const rightNumber = r < right.length ? right.number(r) : Infinity
    const number = Math.min(leftNumber, rightNumber)
    const size = leftNumber === number ? parseSize(left.texts, left.start(l), left.end(l++)) : -1
    numbers[length] = number
    sizes[length] = size
    if (size > 0) totalBytes += size
    if (rightNumber === number) {
      uidlStarts[length] = right.start(r)
      uidlEnds[length] = right.end(r++)
    }
    if (length % ROWS_PER_TURN === ROWS_PER_TURN - 1) yield
  }
  const columns = { length, totalBytes, numbers, sizes, uidlStarts, uidlEnds, texts: right.texts }
  return { ...columns, copies: yield* copiesIn(columns) }
}

/** How many numbers are in one list or the other. */
function* rowsOf(left: Column, right: Column): Generator<void, number> {
  let rows = 0
  for (let l = 0, r = 0; l < left.length || r < right.length; rows++) {
    const leftNumber = l < left.length ? left.number(l) : Infinity
    const rightNumber = r < right.length ? right.number(r) : Infinity
    if (leftNumber <= rightNumber) l++
    if (rightNumber <= leftNumber) r++
    if (rows % ROWS_PER_TURN === ROWS_PER_TURN - 1) yield
  }
  return rows
}

/** Entries that share a UIDL with an earlier one, found with a table of row numbers: no strings, no objects. */
function* copiesIn({
  length,
  uidlStarts,
  uidlEnds,
  texts,
}: Omit<Columns, 'copies'>): Generator<void, Map<number, number>> {
  const copies = new Map<number, number>()
  /** First row with a UIDL that is there more than once → how many were found so far. */
  const found = new Map<number, number>()
  let slots = 16
  while (slots < length * 2) slots *= 2
  const table = new Uint32Array(slots)
  // Senders can choose UIDs (P096); they cannot know the seed, so they cannot make them collide.
  const seed = randomInt(0x7fffffff)
  for (let row = 0; row < length; row++) {
    if (row % ROWS_PER_TURN === ROWS_PER_TURN - 1) yield
    const start = uidlStarts[row] ?? 0
    const end = uidlEnds[row] ?? 0
    if (start === end) continue
    let hash = seed
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (texts[at] ?? 0), 0x01000193)
    let slot = (hash ^ (hash >>> 15)) & (slots - 1)
    for (;;) {
      const first = (table[slot] ?? 0) - 1
      if (first < 0) {
        table[slot] = row + 1
        break
      }
      const firstStart = uidlStarts[first] ?? 0
      const firstEnd = uidlEnds[first] ?? 0
      if (firstEnd - firstStart === end - start && texts.compare(texts, start, end, firstStart, firstEnd) === 0) {
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

/** -1 for anything that is not a plain number of octets (P101). */
function parseSize(texts: Buffer, start: number, end: number): number {
  let size = 0
  let at = start
  for (let byte = texts[at]; at < end && byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = texts[++at]) {
    size = size * 10 + (byte - 0x30)
  }
  return at > start && at - start <= 15 && (at === end || isBlank(texts[at])) ? size : -1
}
