// One answer to LIST or UIDL, parsed as it streams in: number → the bytes after it. It fills columns, so that a million lines
// are a few arrays and not a million objects (P103). Pure. The lines are hostile: numbers never index or size memory, and a bad
// line costs only itself (P088). The result does not depend on how the answer was cut into chunks.
import { PopfetchError } from '../../errors.ts'
import { standInFor } from '../../redact/stand-in.ts'
import type { BodySink } from '../wire/exchange.ts'
import { type Column, inOrder, GrowingBytes } from './column.ts'

/** A longer line is dropped, and its message treated as one without a UIDL: no server has such long ones (P092, P104). */
const LINE_LIMIT = 16_384
/** Entries of one listing. More than that is an attack or a fault (P104, endless lists). */
export const LISTING_LIMIT = 5_000_000
/** Bytes of one answer: LISTING_LIMIT lines with UIDLs of the longest legal kind, and some to spare (P104). */
export const LISTING_BYTES_LIMIT = 512 * 1024 * 1024
/** RFC 1939 sets no limit. A number beyond 31 bits counts no messages (P088). */
const NUMBER_LIMIT = 0x7fffffff

/** Of SHA-256, by which a ledger may keep a long UIDL. */
const DIGEST_BYTES = 32

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09

/** Rows, and bytes of text, that are parsed into a page before they are added to the rest: V8 is slow at memory that can grow. */
const PAGE_ROWS = 4096
const PAGE_BYTES = 65_536
/** The first page: most mailboxes hold little, and a process polls a thousand of them. */
const FIRST_ROWS = 64
const FIRST_BYTES = 4096

interface Page {
  readonly numbers: Uint32Array<ArrayBuffer>
  readonly ends: Uint32Array<ArrayBuffer>
  readonly texts: Buffer
}

function pageOf(rows: number, bytes: number): Page {
  return { numbers: new Uint32Array(rows), ends: new Uint32Array(rows), texts: Buffer.allocUnsafe(bytes) }
}

/** No message number and no UIDL of RFC 1939 is longer. */
const ORDINARY_DIGITS = 9
const ORDINARY_BYTES = 100

export class ListParser {
  readonly #numbers = new GrowingBytes(LISTING_LIMIT * 4)
  readonly #ends = new GrowingBytes(LISTING_LIMIT * 4)
  /** With room for a stand-in in each line. */
  readonly #texts = new GrowingBytes(LISTING_BYTES_LIMIT + LISTING_LIMIT * 80)
  #page = pageOf(FIRST_ROWS, FIRST_BYTES)
  #pageRows = 0
  #pageBytes = 0
  /** Bytes of text on the earlier pages. */
  #textBytes = 0
  #count = 0
  #fedBytes = 0
  /** The start of a line whose end has not arrived yet. */
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
    if (this.#carryBytes > 0 || this.#skipping) {
      const newline = chunk.indexOf(LF)
      if (newline >= 0) this.#endCarry(chunk.subarray(0, newline))
      start = newline + 1
    }
    for (const stop = chunk.lastIndexOf(LF); start <= stop;) start = this.#ordinaryLine(chunk, start)
    if (start === chunk.length || this.#skipping) return
    // A copy, because the chunk may be large. Joined only at the line's end, so that a dripping line is not copied at every byte.
    this.#carry.push(Buffer.from(chunk.subarray(start)))
    this.#carryBytes += chunk.length - start
    if (this.#carryBytes > LINE_LIMIT) {
      this.#drop()
      this.#skipping = true
    }
  }

  /** A fast path for ordinary lines, with the same result as #anyLine. Returns where the next line starts. */
  #ordinaryLine(bytes: Buffer, start: number): number {
    const { numbers, texts } = this.#page
    let at = start
    let byte = bytes[at]
    let number = 0
    while (byte !== undefined && byte >= 0x30 && byte <= 0x39) {
      number = number * 10 + (byte - 0x30)
      byte = bytes[++at]
    }
    const hasRoom = this.#pageRows < numbers.length && this.#pageBytes + ORDINARY_BYTES < texts.length
    if (!hasRoom || byte !== SPACE || number === 0 || at - start > ORDINARY_DIGITS || isBlank(bytes[at + 1]))
      return this.#anyLine(bytes, start)
    let size = this.#pageBytes
    const most = size + ORDINARY_BYTES
    for (byte = bytes[++at]; byte !== LF && size < most; byte = bytes[++at]) texts[size++] = byte ?? 0
    if (byte !== LF || this.#count >= LISTING_LIMIT) return this.#anyLine(bytes, start)
    if (size > this.#pageBytes && texts[size - 1] === CR) size--
    if (isReserved(texts, this.#pageBytes, size)) return this.#anyLine(bytes, start)
    this.#enter(number, size)
    return at + 1
  }

  #anyLine(bytes: Buffer, start: number): number {
    const newline = bytes.indexOf(LF, start)
    this.#line(bytes, start, newline)
    return newline + 1
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
    if (isReserved(bytes, at, end)) {
      const standIn = Buffer.from(standInFor(bytes.toString('latin1', at, end)), 'latin1')
      this.#push(number, standIn, 0, standIn.length)
    } else this.#push(number, bytes, at, end)
  }

  #push(number: number, bytes: Buffer, start: number, end: number): void {
    if (this.#count >= LISTING_LIMIT) throw tooLong(`${LISTING_LIMIT} messages`)
    const { numbers, texts } = this.#page
    if (this.#pageRows === numbers.length || this.#pageBytes + end - start >= texts.length) {
      this.#turnPage()
      // One that holds the longest line.
      if (numbers.length < PAGE_ROWS) this.#page = pageOf(PAGE_ROWS, PAGE_BYTES)
    }
    const size = this.#pageBytes + bytes.copy(this.#page.texts, this.#pageBytes, start, end)
    this.#enter(number, size)
  }

  /** Adds the row whose text was written to the page, up to `size`. */
  #enter(number: number, size: number): void {
    const { numbers, ends, texts } = this.#page
    texts[size] = LF
    numbers[this.#pageRows] = number
    ends[this.#pageRows++] = this.#textBytes + size + 1
    this.#pageBytes = size + 1
    if (number <= this.#last) this.#ascending = false
    this.#last = number
    this.#count++
  }

  #turnPage(): void {
    const { numbers, ends, texts } = this.#page
    this.#numbers.add(new Uint8Array(numbers.buffer, 0, this.#pageRows * 4))
    this.#ends.add(new Uint8Array(ends.buffer, 0, this.#pageRows * 4))
    this.#texts.add(texts.subarray(0, this.#pageBytes))
    this.#textBytes = this.#texts.bytes
    this.#pageRows = 0
    this.#pageBytes = 0
  }

  /** The column; call once, when the answer is complete. Yields every few milliseconds, and after every `rowsPerTurn` rows that
   *  had to be put in order. */
  *finish(rowsPerTurn: number): Generator<void, Column> {
    this.#turnPage()
    const numbers = new Uint32Array(this.#numbers.take())
    const edges = new Uint32Array(numbers.length + 1)
    edges.set(new Uint32Array(this.#ends.take()), 1)
    yield
    const column = { numbers, edges, texts: Buffer.from(this.#texts.take()) }
    yield
    return this.#ascending ? column : yield* inOrder(column, rowsPerTurn)
  }
}

/** Some texts mean something in a ledger. A NUL begins the key of a message without a UIDL, and 32 bytes that are no text may be
 *  the digest of a longer UIDL. A server that gives such a text must not make a message pass for another. */
function isReserved(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] === 0) return start < end
  if (end - start !== DIGEST_BYTES) return false
  for (let at = start; at < end; at++) if (!isPrintable(bytes[at] ?? 0)) return true
  return false
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e
}

export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB
}

/** A sink that takes no more than a listing may have, for answers that are shown and not parsed. Its `write` throws
 *  ERR_POP3_PROTOCOL past that. */
export function withinListing(body: BodySink, limitBytes = LISTING_BYTES_LIMIT): BodySink {
  let bytes = 0
  return {
    write(chunk) {
      bytes += chunk.length
      if (bytes > limitBytes) throw tooLong(`${limitBytes} bytes`)
      return body.write(chunk)
    },
  }
}

function tooLong(limit: string): PopfetchError {
  return new PopfetchError('ERR_POP3_PROTOCOL', `the server lists more than ${limit}: stopping here`, {
    scope: 'account',
    retry: 'later',
  })
}
