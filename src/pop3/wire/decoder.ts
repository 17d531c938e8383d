// Bytes from a POP3 server → status lines and the bytes of multi-line answers, with dot-stuffing undone (RFC 1939 §3). Pure:
// no socket, no timer, no knowledge of commands. After each status line the sink says whether a multi-line answer follows.
// The one rule: only CRLF "." CRLF ends a multi-line answer (P111, P115), however the bytes were cut into chunks.
// Until its first status line that ends in CRLF, the server is taken for an LF server, where a bare LF ends a line too.
import { PopfetchError } from '../../errors.ts'

export interface DecoderSink {
  /** Is an answer expected? Otherwise the bytes are refused (P027, P044, injection; P126, answers out of step). */
  expects(): boolean
  /** A status line without its line end. Returns whether a multi-line answer follows. Copy the bytes to keep them. */
  status(line: Buffer): boolean
  /** Some bytes of the multi-line answer: a view into the chunk. */
  body(bytes: Buffer): void
  /** The multi-line answer is complete. */
  end(): void
}

/** RFC 2449 §4 allows 512 octets, but servers' error texts are longer. An endless line must not fill memory (P025). */
export const STATUS_LINE_LIMIT = 8192

const CR = 0x0d
const LF = 0x0a
const DOT = 0x2e
const CRLF_DOT = Buffer.from('\r\n.')
const ONE_CR = Buffer.from('\r')

/** How much of CRLF "." CRLF the last bytes of the multi-line answer match. */
type Match = 'text' | 'cr' | 'line-start' | 'dot' | 'dot-cr'

export class Decoder {
  readonly #sink: DecoderSink
  #inBody = false
  #match: Match = 'line-start'
  #line: Buffer[] = []
  #lineBytes = 0
  #lineEnds: 'crlf' | 'lf' = 'lf'

  constructor(sink: DecoderSink) {
    this.#sink = sink
  }

  /** Is nothing begun, on a server whose lines end in CRLF? */
  get isBetweenCrlfLines(): boolean {
    return !this.#inBody && this.#lineBytes === 0 && this.#lineEnds === 'crlf'
  }

  /** Takes the next bytes, and keeps none of `chunk`. Throws ERR_POP3_PROTOCOL (and whatever the sink throws); then the session is over. */
  feed(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#inBody) {
        at = this.#lineEnds === 'lf' ? this.#feedByte(chunk, at, chunk.length) : this.#feedBody(chunk, at)
      } else {
        if (!this.#sink.expects()) throw unasked(chunk.subarray(at))
        at = this.#feedStatus(chunk, at)
      }
    }
  }

  #feedStatus(chunk: Buffer, start: number): number {
    let newline = chunk.indexOf(LF, start)
    while (newline >= 0 && this.#lineEnds === 'crlf' && !this.#endsWithCr(chunk, start, newline)) {
      newline = chunk.indexOf(LF, newline + 1)
    }
    const stop = newline < 0 ? chunk.length : newline
    this.#lineBytes += stop - start
    if (this.#lineBytes > STATUS_LINE_LIMIT) {
      throw protocolError(`the server sent a line of over ${STATUS_LINE_LIMIT} bytes where a short answer was expected`)
    }
    if (newline < 0) {
      // A copy: the chunk holds only until we return.
      this.#line.push(Buffer.from(chunk.subarray(start)))
      return chunk.length
    }
    // From then on for good: some servers greet from a script, with a bare LF, and go on with CRLF.
    this.#lineEnds = this.#endsWithCr(chunk, start, newline) ? 'crlf' : 'lf'
    let line = chunk.subarray(start, newline)
    if (this.#line.length > 0) line = Buffer.concat([...this.#line, line])
    if (line[line.length - 1] === CR) line = line.subarray(0, -1)
    this.#line = []
    this.#lineBytes = 0
    this.#inBody = this.#sink.status(line)
    this.#match = 'line-start'
    return newline + 1
  }

  #endsWithCr(chunk: Buffer, start: number, newline: number): boolean {
    if (newline > start) return chunk[newline - 1] === CR
    const last = this.#line.at(-1)
    return last !== undefined && last[last.length - 1] === CR
  }

  /** The data path: works on whole chunks with `indexOf`, and byte by byte only where a chunk's edge cuts the pattern. */
  #feedBody(chunk: Buffer, start: number): number {
    let from = start
    while (this.#atEdge(chunk[from])) {
      from = this.#feedByte(chunk, from, from + 1)
      if (!this.#inBody || from === chunk.length) return from
    }
    let search = from
    for (;;) {
      const found = chunk.indexOf(CRLF_DOT, search)
      if (found < 0) break
      const dot = found + 2
      this.#sink.body(chunk.subarray(from, dot))
      if (dot + 2 >= chunk.length) {
        this.#match = 'dot'
        return this.#feedByte(chunk, dot + 1, chunk.length)
      }
      if (chunk[dot + 1] === CR && chunk[dot + 2] === LF) {
        this.#finish()
        return dot + 3
      }
      from = dot + 1
      search = from
    }
    const end = chunk.length
    this.#sink.body(chunk.subarray(from, end))
    const last = chunk[end - 1]
    this.#match = last === CR ? 'cr' : last === LF && end - from > 1 && chunk[end - 2] === CR ? 'line-start' : 'text'
    return end
  }

  /** Does the next byte continue a pattern that began in an earlier chunk? */
  #atEdge(next: number | undefined): boolean {
    switch (this.#match) {
      case 'dot':
      case 'dot-cr':
        return true
      case 'line-start':
        return next === DOT
      case 'cr':
        return next === LF
      case 'text':
        return false
    }
  }

  /** Byte by byte from `start` up to `stop`, for edges and for LF servers. Returns the position after the last byte it took. */
  #feedByte(chunk: Buffer, start: number, stop: number): number {
    const bareLf = this.#lineEnds === 'lf'
    let from = start
    for (let at = start; at < stop; at++) {
      const byte = chunk[at]
      switch (this.#match) {
        case 'text':
          if (byte === CR) this.#match = 'cr'
          else if (byte === LF && bareLf) this.#match = 'line-start'
          break
        case 'cr':
          this.#match = byte === LF ? 'line-start' : byte === CR ? 'cr' : 'text'
          break
        case 'line-start':
          if (byte === DOT) {
            if (at > from) this.#sink.body(chunk.subarray(from, at))
            from = at + 1
            this.#match = 'dot'
          } else {
            this.#match = byte === CR ? 'cr' : byte === LF && bareLf ? 'line-start' : 'text'
          }
          break
        case 'dot':
          if (byte === LF && bareLf) {
            this.#finish()
            return at + 1
          }
          if (byte === CR) {
            from = at + 1
            this.#match = 'dot-cr'
          } else {
            this.#match = 'text'
          }
          break
        case 'dot-cr':
          if (byte === LF) {
            this.#finish()
            return at + 1
          }
          // ".\r" and then another byte: a stuffed line that begins with a bare CR (RFC 1939 §3; P116).
          this.#sink.body(ONE_CR)
          this.#match = byte === CR ? 'cr' : 'text'
          break
      }
    }
    if (stop > from) this.#sink.body(chunk.subarray(from, stop))
    return stop
  }

  #finish(): void {
    this.#inBody = false
    this.#sink.end()
  }
}

function protocolError(text: string): PopfetchError {
  return new PopfetchError('ERR_POP3_PROTOCOL', text, { scope: 'account', retry: 'later' })
}

/** Keeps the first line, or its start. */
function unasked(bytes: Buffer): PopfetchError {
  const newline = bytes.indexOf(LF)
  const end = newline > 0 && bytes[newline - 1] === CR ? newline - 1 : newline
  return new UnaskedBytesError(Buffer.from(bytes.subarray(0, Math.min(end < 0 ? bytes.length : end, 512))))
}

/** Bytes that answer no command. The queue decides whether they are a farewell (P146) or an attack. */
export class UnaskedBytesError extends PopfetchError {
  override readonly name = 'UnaskedBytesError'
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    super('ERR_POP3_PROTOCOL', 'the server sent unsolicited data', { scope: 'account', retry: 'later' })
    this.bytes = bytes
  }
}
