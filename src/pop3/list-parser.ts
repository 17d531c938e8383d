// One answer to LIST or UIDL, parsed as it streams in: number → the bytes after it, in columns, so that a million lines are
// a few arrays and not a million objects (P103). Pure. The lines are hostile: numbers never index or size memory, a bad
// line costs only itself (P088), and what is kept of a line does not depend on how it was cut into chunks.
import { PopfetchError } from '../errors.ts'

/** A longer line is dropped: no server has such UIDs, and the message is treated as one without (P092, P104). */
const LINE_LIMIT = 16_384
/** Entries of one listing; past that it is an attack or a fault (P104). */
export const LISTING_LIMIT = 5_000_000
/** Bytes of one answer: LISTING_LIMIT lines with UIDs of the longest legal kind and some to spare (P104). */
export const LISTING_BYTES_LIMIT = 512 * 1024 * 1024
/** RFC 1939 sets no limit; what no signed 32-bit integer holds is no count of messages (P088). */
const NUMBER_LIMIT = 0x7fffffff

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09

/** What was listed, ascending by number; a number that was listed twice is left out (P088). */
export interface Column {
  readonly numbers: Uint32Array
  /** What followed the number of row `i` stands in `texts` from `edges[i]` on, and an LF behind it before `edges[i + 1]`. */
  readonly edges: Uint32Array
  readonly texts: Buffer
}

export const emptyColumn: Column = { numbers: new Uint32Array(0), edges: new Uint32Array(1), texts: Buffer.alloc(0) }

/** Rows, and bytes of texts, that are parsed before they join the others: V8 is slow with memory that may grow. */
const PAGE_ROWS = 4096
const PAGE_BYTES = 65_536

export class ListParser {
  readonly #numbers = new Pile(LISTING_LIMIT * 4)
  readonly #ends = new Pile(LISTING_LIMIT * 4)
  readonly #texts = new Pile(LISTING_BYTES_LIMIT)
  readonly #page = {
    numbers: new Uint32Array(PAGE_ROWS),
    ends: new Uint32Array(PAGE_ROWS),
    texts: Buffer.allocUnsafe(PAGE_BYTES),
  }
  #pageRows = 0
  #pageBytes = 0
  #count = 0
  #fedBytes = 0
  /** The start of a line whose end has not come. */
  #carry: Buffer[] = []
  #carryBytes = 0
  #skipping = false
  #last = 0
  #ascending = true

  /** Takes the next bytes of the multi-line answer. Throws ERR_POP3_PROTOCOL past a limit. */
  feed(chunk: Buffer): undefined {
    this.#fedBytes += chunk.length
    if (this.#fedBytes > LISTING_BYTES_LIMIT) throw tooLong(`${LISTING_BYTES_LIMIT} bytes`)
    let start = 0
    for (let newline = chunk.indexOf(LF, 0); newline >= 0; newline = chunk.indexOf(LF, start)) {
      if (this.#carryBytes > 0 || this.#skipping) this.#endCarry(chunk.subarray(start, newline))
      else this.#line(chunk, start, newline)
      start = newline + 1
    }
    if (start === chunk.length || this.#skipping) return
    // A copy: the chunk may be large. Not joined before the end: a line that drips must not cost its square.
    this.#carry.push(Buffer.from(chunk.subarray(start)))
    this.#carryBytes += chunk.length - start
    if (this.#carryBytes > LINE_LIMIT) {
      this.#drop()
      this.#skipping = true
    }
  }

  #endCarry(rest: Buffer): void {
    if (!this.#skipping) {
      const line = Buffer.concat([...this.#carry, rest])
      this.#line(line, 0, line.length)
    }
    this.#drop()
    this.#skipping = false
  }

  #drop(): void {
    this.#carry = []
    this.#carryBytes = 0
  }

  #line(bytes: Buffer, start: number, newline: number): void {
    if (newline - start > LINE_LIMIT) return
    let end = newline
    if (end > start && bytes[end - 1] === CR) end--
    let at = start
    // Some servers put `+OK ` before every line (P090).
    if (bytes[at] === 0x2b && end - at > 4 && bytes.toString('latin1', at, at + 4).toUpperCase() === '+OK ') at += 4
    let number = 0
    const digits = at
    for (let byte = bytes[at]; at < end && byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = bytes[++at]) {
      number = number * 10 + (byte - 0x30)
    }
    if (at === digits || at - digits > 10 || number === 0 || number > NUMBER_LIMIT) return
    if (at < end && !isBlank(bytes[at])) return
    while (at < end && isBlank(bytes[at])) at++
    this.#push(number, bytes, at, end)
  }

  #push(number: number, bytes: Buffer, start: number, end: number): void {
    if (this.#count >= LISTING_LIMIT) throw tooLong(`${LISTING_LIMIT} messages`)
    if (this.#pageRows === PAGE_ROWS || this.#pageBytes + end - start >= PAGE_BYTES) this.#turnPage()
    const { numbers, ends, texts } = this.#page
    let size = this.#pageBytes
    for (let at = start; at < end; at++) texts[size++] = bytes[at] ?? 0
    texts[size++] = LF
    if (number <= this.#last) this.#ascending = false
    this.#last = number
    numbers[this.#pageRows] = number
    ends[this.#pageRows++] = this.#texts.bytes + size
    this.#pageBytes = size
    this.#count++
  }

  #turnPage(): void {
    const { numbers, ends, texts } = this.#page
    this.#numbers.add(new Uint8Array(numbers.buffer, 0, this.#pageRows * 4))
    this.#ends.add(new Uint8Array(ends.buffer, 0, this.#pageRows * 4))
    this.#texts.add(texts.subarray(0, this.#pageBytes))
    this.#pageRows = 0
    this.#pageBytes = 0
  }

  /** Call once the answer is complete. */
  finish(): Column {
    this.#turnPage()
    const numbers = new Uint32Array(this.#numbers.take())
    const edges = new Uint32Array(numbers.length + 1)
    edges.set(new Uint32Array(this.#ends.take()), 1)
    const column = { numbers, edges, texts: Buffer.from(this.#texts.take()) }
    return this.#ascending ? column : inOrder(column)
  }
}

/** The same, ascending by number and without the numbers that are there twice. */
function inOrder({ numbers, edges, texts }: Column): Column {
  const order = ascending(numbers)
  const rows = order.filter(
    (row, at) => numbers[row] !== numbers[order[at - 1] ?? -1] && numbers[row] !== numbers[order[at + 1] ?? -1],
  )
  const ordered = {
    numbers: rows.map((row) => numbers[row] ?? 0),
    edges: new Uint32Array(rows.length + 1),
    texts: Buffer.alloc(texts.length),
  }
  let size = 0
  for (const [at, row] of rows.entries()) {
    size += texts.copy(ordered.texts, size, edges[row], edges[row + 1])
    ordered.edges[at + 1] = size
  }
  return ordered
}

/** The rows in the order of their numbers: by the lower half of the bits, then by the upper, as comparing a
 *  million numbers would keep the event loop too long. */
function ascending(numbers: Uint32Array): Uint32Array {
  let order = Uint32Array.from(numbers, (_, row) => row)
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(0x10001)
    for (const number of numbers) {
      const digit = (number >>> shift) & 0xffff
      starts[digit + 1] = (starts[digit + 1] ?? 0) + 1
    }
    for (let digit = 0; digit < 0x10000; digit++) starts[digit + 1] = (starts[digit + 1] ?? 0) + (starts[digit] ?? 0)
    const sorted = new Uint32Array(numbers.length)
    for (const row of order) {
      const digit = ((numbers[row] ?? 0) >>> shift) & 0xffff
      const at = starts[digit] ?? 0
      sorted[at] = row
      starts[digit] = at + 1
    }
    order = sorted
  }
  return order
}

export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB
}

const FIRST_BYTES = 4096
const STEP_BYTES = 1 << 20

/** Memory that grows where it stands: a million lines are not copied again and again, and no half of it is in reserve. */
class Pile {
  readonly #memory: ArrayBuffer
  bytes = 0

  constructor(limitBytes: number) {
    this.#memory = new ArrayBuffer(FIRST_BYTES, { maxByteLength: limitBytes })
  }

  /** Within the limits of a listing there is always room. */
  add(more: Uint8Array): void {
    const memory = this.#memory
    const needed = this.bytes + more.length
    if (needed > memory.byteLength)
      memory.resize(
        Math.min(memory.maxByteLength, Math.max(needed, memory.byteLength + Math.min(memory.byteLength, STEP_BYTES))),
      )
    new Uint8Array(memory).set(more, this.bytes)
    this.bytes = needed
  }

  /** Gives it away, at its size. */
  take(): ArrayBuffer {
    this.#memory.resize(this.bytes)
    return this.#memory.transferToFixedLength()
  }
}

function tooLong(limit: string): PopfetchError {
  return new PopfetchError('ERR_POP3_PROTOCOL', `the server lists more than ${limit}: not going on`, {
    scope: 'account',
    retry: 'later',
  })
}
