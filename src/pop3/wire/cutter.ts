// Answers to RETR that lie whole in one piece of memory, cut where they lie. Pure: no socket, no commands. Knows only the plain case:
// a status line `+OK`, CRLF line ends, a body that is exactly as long as announced, its end. Anything else is said to be odd, and
// left as it came: the decoder, which knows every case, reads it again from its first byte.
// The one rule is the decoder's: only CRLF "." CRLF ends an answer (P111, P115).

/** Of a status line. */
const MOST_STATUS_BYTES = 512
/** CRLF is part of the body; "." CRLF follows. */
const END_BYTES = 3

const CR = 0x0d
const LF = 0x0a
const DOT = 0x2e
const CRLF_DOT = Buffer.from('\r\n.')

export class Cutter {
  /** Where the whole messages lie in `memory`, dots undone; until `clear`. */
  readonly starts: number[] = []
  readonly ends: number[] = []
  memory: Buffer
  /** What has come of it. */
  #come: Buffer
  /** Where the answer under way begins, and its body; -1: its status line is not complete. */
  #at = 0
  #body = -1
  /** Up to here its end was looked for. */
  #scanned = 0
  #dots = 0

  constructor(memory: Buffer) {
    this.memory = memory
    this.#come = memory.subarray(0, 0)
  }

  /** How much of the memory is in use. */
  get filledBytes(): number {
    return this.#come.length
  }

  /** Copies what came behind what is there. False: there is no room, and nothing was copied. */
  append(bytes: Buffer): boolean {
    const filled = this.#come.length
    if (filled + bytes.length > this.memory.length) return false
    bytes.copy(this.memory, filled)
    this.#come = this.memory.subarray(0, filled + bytes.length)
    return true
  }

  /** Cuts `most` answers at most; `sizes[from]` and so on were announced for them, up to `to`. False: the next one is odd, or nothing
   *  more was asked for and yet something came. */
  cut(sizes: readonly number[], from: number, to: number, most: number): boolean {
    const last = Math.min(to, from + most)
    for (let index = from; index < last; index++) {
      if (this.#body < 0 && !this.#status()) return false
      if (this.#body < 0) return true
      const size = sizes[index] ?? -1
      const end = this.#end()
      // Longer than announced already; of its end all but the last byte may be here.
      if (end < 0) return this.#come.length - this.#body - this.#dots < size + END_BYTES
      if (end - this.#body - this.#dots !== size) return false
      this.starts.push(this.#body)
      this.ends.push(this.#dots === 0 ? end : undot(this.memory, this.#body, end))
      this.#at = end + END_BYTES
      this.#body = -1
    }
    return last < to || this.#at === this.#come.length
  }

  /** What `cut` gave is used, and is not looked at again. */
  clear(): void {
    this.starts.length = 0
    this.ends.length = 0
  }

  /** What is not cut goes on in other memory, which has room for it. */
  moveTo(memory: Buffer): void {
    const kept = this.#come.copy(memory, 0, this.#at)
    if (this.#body >= 0) {
      this.#body -= this.#at
      this.#scanned -= this.#at
    }
    this.#at = 0
    this.memory = memory
    this.#come = memory.subarray(0, kept)
  }

  /** What is not cut, as it came. A copy. */
  rest(): Buffer {
    return Buffer.from(this.#come.subarray(this.#at))
  }

  /** False: it is no plain `+OK`. */
  #status(): boolean {
    const come = this.#come
    const at = this.#at
    const end = come.indexOf(LF, at)
    if (end < 0) return come.length - at < MOST_STATUS_BYTES
    const behind = come[at + 3]
    const isPlain =
      end - at >= 4 &&
      end - at < MOST_STATUS_BYTES &&
      come[at] === 0x2b &&
      come[at + 1] === 0x4f &&
      come[at + 2] === 0x4b &&
      (behind === 0x20 || behind === CR) &&
      come[end - 1] === CR
    if (!isPlain) return false
    this.#body = end + 1
    this.#dots = 0
    // The status line's own CRLF may be the beginning of the end.
    this.#scanned = end - 1
    return true
  }

  /** Where the body ends, its last CRLF included; -1: not yet here. */
  #end(): number {
    const come = this.#come
    for (;;) {
      const found = come.indexOf(CRLF_DOT, this.#scanned)
      if (found < 0 || found + 5 > come.length) {
        this.#scanned = found < 0 ? Math.max(this.#scanned, come.length - 2) : found
        return -1
      }
      if (come[found + 3] === CR && come[found + 4] === LF) return found + 2
      this.#dots++
      this.#scanned = found + 3
    }
  }
}

/** Undoes the dots of a body (RFC 1939 §3) where it lies; returns its new end. */
function undot(memory: Buffer, start: number, end: number): number {
  // Behind the status line's CRLF, or behind one of its own.
  let read = start
  let written = start
  if (memory[start] === DOT) read++
  for (;;) {
    const found = memory.indexOf(CRLF_DOT, read)
    const stop = found < 0 || found + 2 >= end ? end : found + 2
    if (read !== written) memory.copyWithin(written, read, stop)
    written += stop - read
    if (stop === end) return written
    read = stop + 1
  }
}
