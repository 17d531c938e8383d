// The rows that stand on a page of a SQLite file, whichever table it belongs to and whether a tree still leads to it. A cell that
// is not whole, or lies where none can lie, is counted as broken; what can be read of it is told apart from the others.
// https://sqlite.org/fileformat.html, 1.6 and 2.
import type { Pages } from './pages.ts'

export type Value = null | number | string | Buffer

export interface Cell {
  /** Null: of an index, or a table without row numbers. */
  readonly rowid: number | null
  readonly values: readonly Value[]
}

export interface Found {
  readonly cells: readonly Cell[]
  /** Of broken ones: the values up to the first that cannot be what SQLite wrote, if there are any. They may be anybody's. */
  readonly parts: readonly Cell[]
  readonly broken: number
}

const INDEX_INTERIOR = 2
const INDEX_LEAF = 10
const TABLE_LEAF = 13
/** Of an interior page it is 12, with the number of the last child. */
const LEAF_HEADER_BYTES = 8
/** The first page begins with the file's header. */
const FILE_HEADER_BYTES = 100
/** Longer rows are none of a ledger. */
const MOST_ROW_BYTES = 16 * 1024 * 1024
const MOST_COLUMNS = 64
/** Of a page no shorter cell is. */
const LEAST_CELL_BYTES = 4

/** What stands on this page; nothing, where it holds no rows. */
export function cellsOn(number: number, pages: Pages): Found {
  const page = pages.page(number)
  const start = number === 1 ? FILE_HEADER_BYTES : 0
  const type = page?.[start]
  if (page === null || (type !== TABLE_LEAF && type !== INDEX_LEAF && type !== INDEX_INTERIOR))
    return { cells: [], parts: [], broken: 0 }
  const count = page.readUInt16BE(start + 3)
  const pointers = start + LEAF_HEADER_BYTES + (type === INDEX_INTERIOR ? 4 : 0)
  const first = pointers + 2 * count
  if (first + LEAST_CELL_BYTES * count > page.length) return { cells: [], parts: [], broken: 1 }
  const standing = pages.standing(number)
  const found: Placed[] = []
  for (let at = 0; at < count; at++) {
    const place = page.readUInt16BE(pointers + 2 * at)
    const placed = place < first ? null : cellAt(page, place, type, pages)
    // Where the file was cut, zeros stand in place of the rest: that would be another message's UIDL.
    if (placed !== null && placed.to <= standing) found.push(placed)
  }
  const sound = new Set(apart(found.filter(({ isWhole }) => isWhole)))
  const parts = found.filter((each) => !sound.has(each) && each.cell.values.length > 0)
  return {
    cells: [...sound].map(({ cell }) => cell),
    parts: parts.map(({ cell }) => cell),
    broken: count - sound.size,
  }
}

interface Placed {
  readonly from: number
  readonly to: number
  readonly cell: Cell
  readonly isWhole: boolean
}

/** Cells never overlap: where two do, a pointer or a length is wrong, and nothing tells which. */
function apart(found: readonly Placed[]): readonly Placed[] {
  const sorted = found.toSorted((a, b) => a.from - b.from)
  const clashing = new Set<Placed>()
  let last: Placed | undefined
  for (const each of sorted) {
    if (last !== undefined && each.from < last.to) clashing.add(each).add(last)
    if (last === undefined || each.to > last.to) last = each
  }
  return found.filter((each) => !clashing.has(each))
}

function cellAt(page: Buffer, from: number, type: number, pages: Pages): Placed | null {
  const reader = new Reader(page, from)
  if (type === INDEX_INTERIOR) reader.skip(4)
  const bytes = reader.varint()
  const rowid = type === TABLE_LEAF ? reader.varint() : null
  if (reader.isOver || bytes === null || bytes < 1 || bytes > MOST_ROW_BYTES) return null
  const most = type === TABLE_LEAF ? page.length - 35 : Math.floor(((page.length - 12) * 64) / 255) - 23
  const local = localBytes(bytes, most, page.length)
  const to = reader.at + local + (local < bytes ? 4 : 0)
  const head = page.subarray(reader.at, reader.at + local)
  const payload =
    to > page.length ? null : local < bytes ? overflown(head, page.readUInt32BE(reader.at + local), bytes, pages) : head
  const { values, isWhole } = valuesOf(payload ?? head)
  return { from, to: Math.min(to, page.length), cell: { rowid, values }, isWhole: isWhole && payload !== null }
}

/** How much of a row stands on its own page. */
function localBytes(bytes: number, most: number, pageBytes: number): number {
  if (bytes <= most) return bytes
  const least = Math.floor(((pageBytes - 12) * 32) / 255) - 23
  const local = least + ((bytes - least) % (pageBytes - 4))
  return local <= most ? local : least
}

/** A row that goes on over other pages; null: it is not whole. */
function overflown(head: Buffer, first: number, bytes: number, pages: Pages): Buffer | null {
  const parts = [head]
  let left = bytes - head.length
  for (let number = first; left > 0;) {
    const page = pages.page(number)
    if (page === null) return null
    const part = page.subarray(4, 4 + left)
    if (4 + part.length > pages.standing(number)) return null
    parts.push(part)
    left -= part.length
    number = page.readUInt32BE(0)
    // Where the chain ends, the row does.
    if ((number === 0) !== (left === 0)) return null
  }
  return Buffer.concat(parts)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Of a payload, or of its beginning. Not whole: it is no row, or ends before its last value. */
function valuesOf(payload: Buffer): { readonly values: readonly Value[]; readonly isWhole: boolean } {
  const header = new Reader(payload, 0)
  const end = header.varint()
  const values: Value[] = []
  if (end === null || end > payload.length || end < header.at) return { values, isWhole: false }
  let at = end
  while (header.at < end) {
    const type = header.varint()
    const bytes = type === null ? null : bytesOf(type)
    if (type === null || bytes === null || header.at > end || at + bytes > payload.length)
      return { values, isWhole: false }
    const value = valueOf(type, payload.subarray(at, at + bytes))
    if (value === undefined || values.length === MOST_COLUMNS) return { values, isWhole: false }
    values.push(value)
    at += bytes
  }
  // Nothing stands behind the last value.
  return { values, isWhole: at === payload.length }
}

const NUMBER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0]

/** Of a serial type; null: there is none such. */
function bytesOf(type: number): number | null {
  return type >= 12 ? Math.floor((type - 12) / 2) : (NUMBER_BYTES[type] ?? null)
}

/** Undefined: it cannot be what SQLite wrote. */
function valueOf(type: number, bytes: Buffer): Value | undefined {
  if (type === 0) return null
  if (type === 8 || type === 9) return type - 8
  if (type === 7) return bytes.readDoubleBE(0)
  if (type === 6) {
    const whole = Number(bytes.readBigInt64BE(0))
    return Number.isSafeInteger(whole) ? whole : undefined
  }
  if (type < 7) return bytes.readIntBE(0, bytes.length)
  if (type % 2 === 0) return Buffer.from(bytes)
  try {
    return UTF8.decode(bytes)
  } catch {
    return undefined
  }
}

class Reader {
  at: number
  isOver = false
  readonly #bytes: Buffer

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  skip(bytes: number): void {
    this.at += bytes
  }

  /** A number of up to nine bytes, seven bits each; null: it does not end, or is larger than any here. */
  varint(): number | null {
    let value = 0
    for (let read = 0; read < 9; read++) {
      const byte = this.#bytes[this.at]
      if (byte === undefined) {
        this.isOver = true
        return null
      }
      this.at++
      if (read === 8) value = value * 256 + byte
      else value = value * 128 + (byte & 0x7f)
      if (byte < 0x80 || read === 8) return Number.isSafeInteger(value) ? value : null
    }
    return null
  }
}
