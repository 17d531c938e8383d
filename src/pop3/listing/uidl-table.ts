// Which entries share a UIDL (P095), and which has a given one: row numbers only, no strings and no objects. Most servers count their
// UIDLs upwards. Then no two are the same, which is quickly seen, and the rows themselves are searched. Else it is a hash table.
// Senders can choose UIDLs (P096), but they do not know the seed, and so cannot make them collide.
import { randomInt } from 'node:crypto'
import type { Column } from './column.ts'

interface Slots {
  readonly slots: Uint32Array
  readonly seed: number
}

export class UidlTable {
  /** Row → how many earlier rows have the same UIDL. Rows without such are not in it. */
  readonly copies: ReadonlyMap<number, number>
  /** The first row of each UIDL that several rows have. */
  readonly firsts: Iterable<number>
  readonly #uidls: Column
  /** Null: the UIDLs are in ascending order. */
  readonly #slots: Slots | null
  /** The row that was found last, in ascending order. */
  #found = -1

  private constructor(
    uidls: Column,
    slots: Slots | null,
    copies: ReadonlyMap<number, number> = new Map(),
    firsts: Iterable<number> = [],
  ) {
    this.#uidls = uidls
    this.#slots = slots
    this.copies = copies
    this.firsts = firsts
  }

  /** Yields after every `rowsPerTurn` rows. Rows without a UIDL are left out. */
  static *of(uidls: Column, rowsPerTurn: number): Generator<void, UidlTable> {
    const rows = uidls.numbers.length
    let isAscending = true
    for (let from = 0; isAscending && from < rows; from += rowsPerTurn) {
      if (from > 0) yield
      isAscending = areAscending(uidls, from, Math.min(rows, from + rowsPerTurn))
    }
    if (isAscending) return new UidlTable(uidls, null)
    let size = 16
    while (size < rows * 2) size *= 2
    const table = { slots: new Uint32Array(size), seed: randomInt(0x7fffffff) }
    const copies = new Map<number, number>()
    /** The first row of a UIDL that occurs more than once → how many rows with it were found so far. */
    const found = new Map<number, number>()
    for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
      if (from > 0 && from % rowsPerTurn < ROWS_AT_ONCE) yield
      enterRows(uidls, table, { from, to: Math.min(rows, from + ROWS_AT_ONCE) }, (row, first) => {
        const copy = found.get(first) ?? 1
        copies.set(row, copy)
        found.set(first, copy + 1)
      })
    }
    return new UidlTable(uidls, table, copies, [...found.keys()])
  }

  /** The first row with this UIDL; -1: none has it. */
  find(uidl: Uint8Array): number {
    if (this.#slots === null) return uidl.length === 0 ? -1 : this.#search(uidl)
    return (this.#slots.slots[slotOf(uidl, 0, uidl.length, this.#uidls, this.#slots)] ?? 0) - 1
  }

  #search(uidl: Uint8Array): number {
    let low = 0
    let high = this.#uidls.numbers.length - 1
    // Whoever looks for many of them has them in this order, mostly.
    for (let row = Math.min(this.#found + 1, high); low <= high; row = (low + high) >>> 1) {
      const order = this.#order(uidl, row)
      if (order === 0) return (this.#found = row)
      if (order > 0) low = row + 1
      else high = row - 1
    }
    return -1
  }

  /** Negative: it belongs before the row; positive: behind it. */
  #order(uidl: Uint8Array, row: number): number {
    const { edges, texts } = this.#uidls
    const start = edges[row] ?? 0
    const end = (edges[row + 1] ?? 0) - 1
    return uidl.length - (end - start) || -texts.compare(uidl, 0, uidl.length, start, end)
  }
}

/** Is each UIDL longer than the one before it, or as long and later in the order of bytes? So are numbers that count upwards. */
function areAscending(uidls: Column, from: number, to: number): boolean {
  for (let row = Math.max(1, from); row < to; row += ROWS_AT_ONCE)
    if (!areAscendingFew(uidls, row, Math.min(to, row + ROWS_AT_ONCE))) return false
  return true
}

/** `from`: 1 or more. Compared as texts: a question to Node for each of the first 5,000 rows takes 7 ms. */
function areAscendingFew({ edges, texts }: Column, from: number, to: number): boolean {
  const [first = '', ...others] = texts.toString('latin1', edges[from - 1], (edges[to] ?? 1) - 1).split('\n')
  let before = first
  for (const uidl of others) {
    if (uidl.length < before.length || (uidl.length === before.length && uidl <= before)) return false
    before = uidl
  }
  return true
}

/** V8 compiles a function that is called again and again sooner than a loop in a generator: 27 ms for 5,000 rows, else. */
const ROWS_AT_ONCE = 250

/** Enters rows; tells those whose UIDL another row has that was entered before. */
function enterRows(
  uidls: Column,
  table: Slots,
  { from, to }: { readonly from: number; readonly to: number },
  shared: (row: number, first: number) => void,
): void {
  for (let row = from; row < to; row++) {
    const first = enter(row, uidls, table)
    if (first !== row) shared(row, first)
  }
}

/** Enters the row. Returns the first row with the same UIDL, which is the row itself unless another was entered before. */
function enter(row: number, uidls: Column, table: Slots): number {
  const start = uidls.edges[row] ?? 0
  const end = (uidls.edges[row + 1] ?? 0) - 1
  if (start === end) return row
  const slot = slotOf(uidls.texts, start, end, uidls, table)
  const entered = table.slots[slot] ?? 0
  if (entered > 0) return entered - 1
  table.slots[slot] = row + 1
  return row
}

/** FNV-1a with an extra shift. In plain FNV-1a the lowest byte of the state depends on no other byte. Whoever guesses one byte
 *  of the seed could make a million UIDLs collide (P096). */
export function hashOf(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed
  for (let at = start; at < end; at++) {
    hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
    hash ^= hash >>> 15
  }
  return hash
}

/** The slot that holds the first row with this UIDL, as its number plus 1; or the empty slot where it belongs. */
function slotOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  { edges, texts }: Column,
  { slots, seed }: Slots,
): number {
  for (let slot = hashOf(bytes, start, end, seed) & (slots.length - 1); ; slot = (slot + 1) & (slots.length - 1)) {
    const entered = slots[slot] ?? 0
    if (entered === 0) return slot
    const from = edges[entered - 1] ?? 0
    if ((edges[entered] ?? 0) - 1 - from !== end - start) continue
    let same = 0
    while (same < end - start && texts[from + same] === bytes[start + same]) same++
    if (same === end - start) return slot
  }
}
