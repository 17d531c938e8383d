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
  readonly length: number
  number(index: number): number
  /** Where in `texts` stands what followed the number. */
  start(index: number): number
  end(index: number): number
  readonly texts: Buffer
}

export const emptyColumn: Column = { length: 0, number: () => 0, start: () => 0, end: () => 0, texts: Buffer.alloc(0) }

export class ListParser {
  readonly #numbers = new Uint32Array(growing(LISTING_LIMIT * 4))
  /** Texts stand one behind the other: each starts where the one before it ends. */
  readonly #ends = new Uint32Array(growing(LISTING_LIMIT * 4))
  readonly #textMemory = growing(LISTING_BYTES_LIMIT)
  #texts: Buffer = Buffer.from(this.#textMemory)
  #textBytes = 0
  #count = 0
  #fedBytes = 0
  /** The start of a line whose end has not come. */
  #carry: Buffer[] = []
  #carryBytes = 0
  #skipping = false
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
    if (end - at > 4 && bytes[at] === 0x2b && bytes.toString('latin1', at, at + 4).toUpperCase() === '+OK ') at += 4
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
    if (this.#count === this.#numbers.length) {
      grow(this.#numbers.buffer, 4)
      grow(this.#ends.buffer, 4)
    }
    const size = end - start
    if (this.#textBytes + size > this.#texts.length) {
      grow(this.#textMemory, size)
      this.#texts = Buffer.from(this.#textMemory)
    }
    bytes.copy(this.#texts, this.#textBytes, start, end)
    if (this.#count > 0 && number <= (this.#numbers[this.#count - 1] ?? 0)) this.#ascending = false
    this.#textBytes += size
    this.#numbers[this.#count] = number
    this.#ends[this.#count] = this.#textBytes
    this.#count++
  }

  /** Call once the answer is complete. */
  finish(): Column {
    const [numbers, ends, texts] = [this.#numbers, this.#ends, this.#texts]
    const order = this.#ascending ? null : this.#sorted()
    const row = (index: number): number => (order === null ? index : (order[index] ?? 0))
    return {
      length: order?.length ?? this.#count,
      number: (index) => numbers[row(index)] ?? 0,
      start: (index) => ends[row(index) - 1] ?? 0,
      end: (index) => ends[row(index)] ?? 0,
      texts,
    }
  }

  #sorted(): Uint32Array {
    const numbers = this.#numbers
    const order = ascending(numbers, this.#count)
    return order.filter(
      (row, at) => numbers[row] !== numbers[order[at - 1] ?? -1] && numbers[row] !== numbers[order[at + 1] ?? -1],
    )
  }
}

/** The first `count` rows in the order of their numbers: by the lower half of the bits, then by the upper, as comparing a
 *  million numbers would keep the event loop too long. */
function ascending(numbers: Uint32Array, count: number): Uint32Array {
  let order = Uint32Array.from({ length: count }, (_, row) => row)
  for (const shift of [0, 16]) {
    const starts = new Uint32Array(0x10001)
    for (let row = 0; row < count; row++) {
      const digit = ((numbers[row] ?? 0) >>> shift) & 0xffff
      starts[digit + 1] = (starts[digit + 1] ?? 0) + 1
    }
    for (let digit = 0; digit < 0x10000; digit++) starts[digit + 1] = (starts[digit + 1] ?? 0) + (starts[digit] ?? 0)
    const sorted = new Uint32Array(count)
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
function growing(limitBytes: number): ArrayBuffer {
  return new ArrayBuffer(FIRST_BYTES, { maxByteLength: limitBytes })
}

/** By `bytes` at least; within the limits of a listing there is always room. */
function grow(memory: ArrayBuffer, bytes: number): void {
  const size = memory.byteLength
  memory.resize(Math.min(memory.maxByteLength, size + Math.max(bytes, Math.min(size, STEP_BYTES))))
}

function tooLong(limit: string): PopfetchError {
  return new PopfetchError('ERR_POP3_PROTOCOL', `the server lists more than ${limit}: not going on`, {
    scope: 'account',
    retry: 'later',
  })
}
