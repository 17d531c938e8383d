// A hash table from UIDL to row, and the entries that share a UIDL (P095): row numbers only, no strings and no objects.
// Senders can choose UIDLs (P096), but they do not know the seed, and so cannot make them collide.
import { randomInt } from 'node:crypto'
import type { Column } from './column.ts'

export class UidlTable {
  /** Row → how many earlier rows have the same UIDL. Rows without such are not in it. */
  readonly copies: ReadonlyMap<number, number>
  /** The first row of each UIDL that several rows have. */
  readonly firsts: Iterable<number>
  readonly #uidls: Column
  readonly #slots: Uint32Array
  readonly #seed: number

  private constructor(
    uidls: Column,
    slots: Uint32Array,
    seed: number,
    copies: ReadonlyMap<number, number>,
    firsts: Iterable<number>,
  ) {
    this.#uidls = uidls
    this.#slots = slots
    this.#seed = seed
    this.copies = copies
    this.firsts = firsts
  }

  /** Yields after every `rowsPerTurn` rows. Rows without a UIDL are left out. */
  static *of(uidls: Column, rowsPerTurn: number): Generator<void, UidlTable> {
    const rows = uidls.numbers.length
    let size = 16
    while (size < rows * 2) size *= 2
    const slots = new Uint32Array(size)
    const seed = randomInt(0x7fffffff)
    const copies = new Map<number, number>()
    /** The first row of a UIDL that occurs more than once → how many rows with it were found so far. */
    const found = new Map<number, number>()
    for (let from = 0; from < rows; from += rowsPerTurn) {
      if (from > 0) yield
      for (let row = from; row < Math.min(rows, from + rowsPerTurn); row++) {
        const first = enter(row, uidls, slots, seed)
        if (first === row) continue
        const copy = found.get(first) ?? 1
        copies.set(row, copy)
        found.set(first, copy + 1)
      }
    }
    return new UidlTable(uidls, slots, seed, copies, [...found.keys()])
  }

  /** The first row with this UIDL; -1: none has it. */
  find(uidl: Uint8Array): number {
    return (this.#slots[slotOf(uidl, 0, uidl.length, this.#uidls, this.#slots, this.#seed)] ?? 0) - 1
  }
}

/** Enters the row. Returns the first row with the same UIDL, which is the row itself unless another was entered before. */
function enter(row: number, uidls: Column, slots: Uint32Array, seed: number): number {
  const start = uidls.edges[row] ?? 0
  const end = (uidls.edges[row + 1] ?? 0) - 1
  if (start === end) return row
  const slot = slotOf(uidls.texts, start, end, uidls, slots, seed)
  const entered = slots[slot] ?? 0
  if (entered > 0) return entered - 1
  slots[slot] = row + 1
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
  slots: Uint32Array,
  seed: number,
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
