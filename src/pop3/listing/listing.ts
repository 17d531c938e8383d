// The answers to LIST and UIDL, joined by message number (P087), in columns: a million entries are a few arrays (P103). Pure.
// Missing, doubled and odd lines leave gaps, but never an entry with the wrong UIDL. Entries that share a UIDL: uidl-table.ts.
import { setImmediate as turn } from 'node:timers/promises'
import { BitSet } from '../../bit-set.ts'
import { standInFor } from '../../redact/stand-in.ts'
import { type Column, emptyColumn } from './column.ts'
import { isBlank, type ListParser } from './parser.ts'
import { UidlTable } from './uidl-table.ts'

export interface ListingEntry {
  /** Its place in the listing, from 0. */
  readonly index: number
  /** Valid in this session only; never stored (P141, stale numbers). */
  readonly number: number
  /** The UIDL's bytes as Latin-1 text; '' when the server gave none (P086, P091). */
  readonly uidl: string
  /** What the server gave, where `uidl` is a stand-in for it (Listing.standIn). Never stored. */
  readonly given?: string
  /** 0 for the first entry with this UIDL, 1 for the second … (P095). */
  readonly copy: number
  /** The announced size; null when there was none or an absurd one. Only a hint (P101, wrong sizes). */
  readonly sizeBytes: number | null
}

/** Rows to work on in one turn of the event loop: a few milliseconds (P103). */
const ROWS_PER_TURN = 20_000

/** The texts are the UIDLs; empty for an entry without one. */
interface Columns extends Column {
  /** -1: not announced. */
  readonly sizes: Float64Array
}

/** What the print of a listing is made of. */
export interface TakenPrint {
  /** What STAT said, see statOf; null: it was not asked, and count and size are those of LIST. */
  readonly stat: string | null
  /** A digest of the answer to UIDL, without its first line. */
  readonly uidls: string
}

export function printOf(stat: string, uidls: string): string {
  return `${stat} ${uidls}`
}

export class Listing {
  /** False: the server refused UIDL altogether. */
  readonly hasUidls: boolean
  /** The same text for the same answer to UIDL, byte for byte, where count and size of the mailbox are the same, too. Null: the
   *  server has no UIDL, or nobody took it. */
  readonly print: string | null
  readonly #columns: Columns
  readonly #standIns = new BitSet()
  #table: UidlTable | null = null

  private constructor(columns: Columns, hasUidls: boolean, taken: TakenPrint | null = null) {
    this.#columns = columns
    this.hasUidls = hasUidls
    this.print = taken === null ? null : printOf(taken.stat ?? `${this.length} ${this.totalBytes}`, taken.uidls)
  }

  /** `uidls` null: UIDL was refused. Works in several turns of the event loop. */
  static async from(sizes: ListParser, uidls: ListParser | null, taken: TakenPrint | null = null): Promise<Listing> {
    return new Listing(await inTurns(joined(sizes, uidls)), uidls !== null, uidls === null ? null : taken)
  }

  /** For a few entries: in one turn. */
  static ofFew(sizes: ListParser, uidls: ListParser | null): Listing {
    return new Listing(atOnce(joined(sizes, uidls)), uidls !== null)
  }

  get length(): number {
    return this.#columns.numbers.length
  }

  get totalBytes(): number {
    return this.#columns.sizes.reduce((total, size) => total + Math.max(0, size), 0)
  }

  /** Call before asking about copies in a long listing: this works in several turns of the event loop, the first question
   *  otherwise in one. */
  async tellCopies(): Promise<void> {
    this.#table ??= await inTurns(UidlTable.of(this.#columns, ROWS_PER_TURN))
  }

  get #uidls(): UidlTable {
    return (this.#table ??= atOnce(UidlTable.of(this.#columns, ROWS_PER_TURN)))
  }

  /** The entries from `from` up to, but not including, `to`; new objects at each call. */
  slice(from: number, to: number): ListingEntry[] {
    const entries: ListingEntry[] = []
    for (let index = from; index < Math.min(to, this.length); index++) entries.push(this.entry(index))
    return entries
  }

  entry(index: number): ListingEntry {
    const { numbers, sizes } = this.#columns
    const size = sizes[index] ?? -1
    const entry = {
      index,
      number: numbers[index] ?? 0,
      uidl: this.uidl(index),
      copy: this.#uidls.copies.get(index) ?? 0,
      sizeBytes: size < 0 ? null : size,
    }
    return this.#standIns.has(index) ? { ...entry, uidl: standInFor(entry.uidl), given: entry.uidl } : entry
  }

  /** From now on the entry has a stand-in in place of its UIDL. All that follows asks for the UIDLs as the server gave them. */
  standIn(index: number): void {
    this.#standIns.add(index)
  }

  /** As the server gave it. */
  uidl(index: number): string {
    const { edges, texts } = this.#columns
    return texts.toString('latin1', edges[index], (edges[index + 1] ?? 1) - 1)
  }

  /** Has each entry a UIDL that no other one has? */
  get areDistinct(): boolean {
    const { edges } = this.#columns
    if (!this.hasUidls || this.#uidls.copies.size > 0) return false
    for (let index = 0; index < this.length; index++)
      if ((edges[index + 1] ?? 0) - (edges[index] ?? 0) < 2) return false
    return true
  }

  /** The UIDLs from `from` on as one text, a space after each: of at least one entry, and of others up to `mostBytes`. `to`: the first
   *  that is not in it. */
  textFrom(from: number, mostBytes: number): { readonly text: string; readonly to: number } {
    const { edges, texts } = this.#columns
    const start = edges[from] ?? 0
    let to = from + 1
    while (to < this.length && (edges[to + 1] ?? 0) - start <= mostBytes) to++
    return { text: texts.toString('latin1', start, edges[to]).replaceAll('\n', ' '), to }
  }

  /** The UIDLs that more than one entry has (P095, doubled UIDLs). */
  sharedUidls(): ReadonlySet<string> {
    return new Set([...this.#uidls.firsts].map((index) => this.uidl(index)))
  }

  /** The indexes of the entries that share a UIDL with another. */
  *sharing(): Generator<number> {
    yield* this.#uidls.firsts
    yield* this.#uidls.copies.keys()
  }

  /** The index of the first entry with this UIDL; -1: there is none. */
  find(uidl: Uint8Array): number {
    return this.#uidls.find(uidl)
  }

  /** Do the `count` entries from `from` on have exactly these UIDLs, each with an LF after it? */
  reads(from: number, count: number, uidls: Uint8Array): boolean {
    const { edges, texts } = this.#columns
    if (from + count > this.length) return false
    return texts.subarray(edges[from], edges[from + count]).equals(uidls)
  }

  /** The announced sizes from `from` up to, but not including, `to`; -1 for none or an absurd one. */
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

/** Merges both lists, each in ascending order of number. */
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

/** How many numbers are in at least one of the lists. */
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
