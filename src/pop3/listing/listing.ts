// The answers to LIST and UIDL, joined by message number (P087), in columns: a million entries are a few arrays (P103). Pure.
// Absent, doubled and odd lines leave gaps, never an entry with the wrong UIDL. Entries that share one: uidl-table.ts.
import { setImmediate as turn } from 'node:timers/promises'
import { type Column, emptyColumn } from './column.ts'
import { isBlank, type ListParser } from './parser.ts'
import { UidlTable } from './uidl-table.ts'

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

/** The texts are the UIDLs; empty where there is none. */
interface Columns extends Column {
  /** -1: not announced. */
  readonly sizes: Float64Array
}

export class Listing {
  /** False: the server refused UIDL altogether. */
  readonly hasUidls: boolean
  readonly #columns: Columns
  #table: UidlTable | null = null

  private constructor(columns: Columns, hasUidls: boolean) {
    this.#columns = columns
    this.hasUidls = hasUidls
  }

  /** `uidls` null: UIDL was refused. The event loop turns meanwhile. */
  static async from(sizes: ListParser, uidls: ListParser | null): Promise<Listing> {
    return new Listing(await inTurns(joined(sizes, uidls)), uidls !== null)
  }

  /** Of few entries: all in one turn. */
  static ofFew(sizes: ListParser, uidls: ListParser | null): Listing {
    return new Listing(atOnce(joined(sizes, uidls)), uidls !== null)
  }

  get length(): number {
    return this.#columns.numbers.length
  }

  get totalBytes(): number {
    return this.#columns.sizes.reduce((total, size) => total + Math.max(0, size), 0)
  }

  /** Before anything is asked about copies in a listing of many: the event loop turns meanwhile. */
  async tellCopies(): Promise<void> {
    this.#table ??= await inTurns(UidlTable.of(this.#columns, ROWS_PER_TURN))
  }

  get #uidls(): UidlTable {
    return (this.#table ??= atOnce(UidlTable.of(this.#columns, ROWS_PER_TURN)))
  }

  /** The entries from `from` up to `to`, as objects made for this call. */
  slice(from: number, to: number): ListingEntry[] {
    const entries: ListingEntry[] = []
    for (let index = from; index < Math.min(to, this.length); index++) entries.push(this.entry(index))
    return entries
  }

  entry(index: number): ListingEntry {
    const { numbers, sizes } = this.#columns
    const size = sizes[index] ?? -1
    return {
      index,
      number: numbers[index] ?? 0,
      uidl: this.uidl(index),
      copy: this.#uidls.copies.get(index) ?? 0,
      sizeBytes: size < 0 ? null : size,
    }
  }

  uidl(index: number): string {
    const { edges, texts } = this.#columns
    return texts.toString('latin1', edges[index], (edges[index + 1] ?? 1) - 1)
  }

  /** The UIDLs that stand for more than one entry (P095). */
  sharedUidls(): ReadonlySet<string> {
    return new Set([...this.#uidls.firsts].map((index) => this.uidl(index)))
  }

  /** Where their entries stand. */
  *sharing(): Generator<number> {
    yield* this.#uidls.firsts
    yield* this.#uidls.copies.keys()
  }

  /** Where the first entry with this UIDL stands; -1: there is none. */
  find(uidl: Uint8Array): number {
    return this.#uidls.find(uidl)
  }

  /** Do `count` entries from `from` on have exactly these UIDLs, an LF behind each? */
  reads(from: number, count: number, uidls: Uint8Array): boolean {
    const { edges, texts } = this.#columns
    if (from + count > this.length) return false
    return texts.subarray(edges[from], edges[from + count]).equals(uidls)
  }

  /** The sizes announced from `from` up to `to`; -1: not, or absurdly. */
  sizes(from: number, to: number): Float64Array {
    return this.#columns.sizes.subarray(from, to)
  }
}

async function inTurns<T>(steps: Generator<void, T>): Promise<T> {
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value
    await turn()
  }
}

function atOnce<T>(steps: Generator<void, T>): T {
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

function* joined(sizeLines: ListParser, uidlLines: ListParser | null): Generator<void, Columns> {
  const left = yield* sizeLines.finish(ROWS_PER_TURN)
  const right = uidlLines === null ? emptyColumn : yield* uidlLines.finish(ROWS_PER_TURN)
  const sizes = new Float64Array(left.numbers.length)
  for (let from = 0; from < sizes.length; from += ROWS_PER_TURN) {
    if (from > 0) yield
    parseSizes(left, sizes, from, Math.min(sizes.length, from + ROWS_PER_TURN))
  }
  if (sameNumbers(left.numbers, right.numbers)) return { ...right, sizes }
  return yield* inStep({ numbers: left.numbers, sizes }, right)
}

function sameNumbers(left: Uint32Array, right: Uint32Array): boolean {
  const [a, b] = [left, right].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength))
  return a !== undefined && b !== undefined && a.equals(b)
}

/** Both lists in step, ascending by number. */
function* inStep(
  left: { readonly numbers: Uint32Array; readonly sizes: Float64Array },
  right: Column,
): Generator<void, Columns> {
  const most = yield* rowsOf(left.numbers, right.numbers)
  const numbers = new Uint32Array(most)
  const sizes = new Float64Array(most).fill(-1)
  const edges = new Uint32Array(most + 1)
  const texts = Buffer.alloc(right.texts.length + most - right.numbers.length, '\n')
  for (let l = 0, r = 0, row = 0, size = 0; row < most; row++) {
    const leftNumber = left.numbers[l] ?? Infinity
    const rightNumber = right.numbers[r] ?? Infinity
    numbers[row] = Math.min(leftNumber, rightNumber)
    if (leftNumber <= rightNumber) sizes[row] = left.sizes[l++] ?? -1
    if (rightNumber <= leftNumber) size += right.texts.copy(texts, size, right.edges[r], right.edges[++r])
    else size++
    edges[row + 1] = size
    if (row % ROWS_PER_TURN === ROWS_PER_TURN - 1) yield
  }
  return { numbers, sizes, edges, texts }
}

/** How many numbers are in one list or the other. */
function* rowsOf(left: Uint32Array, right: Uint32Array): Generator<void, number> {
  let rows = 0
  for (let l = 0, r = 0; l < left.length || r < right.length; rows++) {
    const leftNumber = left[l] ?? Infinity
    const rightNumber = right[r] ?? Infinity
    if (leftNumber <= rightNumber) l++
    if (rightNumber <= leftNumber) r++
    if (rows % ROWS_PER_TURN === ROWS_PER_TURN - 1) yield
  }
  return rows
}

function parseSizes({ edges, texts }: Column, sizes: Float64Array, from: number, to: number): void {
  for (let row = from; row < to; row++) sizes[row] = parseSize(texts, edges[row] ?? 0, (edges[row + 1] ?? 0) - 1)
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
