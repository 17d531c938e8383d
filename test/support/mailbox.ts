// What a fake POP3 server keeps: mailboxes and their messages, and how a message looks on the wire (RFC 1939 section 3).
// No connection here. A message's bytes are exactly what a client that makes no mistake ends up with.

const CRLF = Buffer.from('\r\n')
const DOT = 0x2e
const CHUNK_BYTES = 256 * 1024

/** A message that exists only while it is sent: a header, then the line over and over, up to the size. */
export interface Sparse {
  /** Of the whole message, line ends included. The last line is cut short to meet it. */
  readonly sizeBytes: number
  /** Without line end. */
  readonly line?: string
  /** The whole body is one line of x. */
  readonly singleLine?: boolean
  /** Header lines, with or without the blank line; a plausible one is made without it. */
  readonly header?: string
}

export interface StoredMessage {
  uidl: string
  readonly sizeBytes: number
  /** The message with CRLF line ends. A sparse one is built at each access: for small ones only. */
  readonly bytes: Buffer
  /** The same in pieces; cheap for a sparse message of any size. */
  chunks(): Iterable<Buffer>
  /** Not listed any more, though not deleted (Gmail's "popped", P129). */
  hidden: boolean
}

/** Text gets CRLF line ends. A Buffer is kept as it is, bare CR and LF included, and not copied. Both get a final CRLF
 *  where there is none, as a server has to send one before the terminator. */
function normalise(message: string | Buffer): Buffer {
  const bytes = typeof message === 'string' ? Buffer.from(message.replace(/\r?\n/g, '\r\n')) : message
  return bytes.length === 0 || bytes.subarray(-2).equals(CRLF) ? bytes : Buffer.concat([bytes, CRLF])
}

class WholeMessage implements StoredMessage {
  uidl: string
  hidden = false
  readonly bytes: Buffer

  constructor(uidl: string, bytes: Buffer) {
    this.uidl = uidl
    this.bytes = bytes
  }

  get sizeBytes(): number {
    return this.bytes.length
  }

  chunks(): Iterable<Buffer> {
    return [this.bytes]
  }
}

class SparseMessage implements StoredMessage {
  uidl: string
  hidden = false
  readonly sizeBytes: number
  readonly #head: Buffer
  readonly #line: Buffer

  constructor(uidl: string, sparse: Sparse) {
    const header = sparse.header ?? 'From: big@example.org\nTo: you@example.org\nSubject: Big'
    this.uidl = uidl
    this.#head = Buffer.from(`${header.trimEnd().replace(/\r?\n/g, '\r\n')}\r\n\r\n`)
    const line = `${sparse.line ?? 'All work and no play makes a dull message.'}\r\n`
    this.#line = Buffer.from(sparse.singleLine === true ? 'x' : line)
    this.sizeBytes = sparse.sizeBytes
    if (this.sizeBytes < this.#head.length + 2)
      throw new RangeError(`a message of ${this.sizeBytes} bytes has no room for its header`)
  }

  get bytes(): Buffer {
    return Buffer.concat([...this.chunks()])
  }

  *chunks(): Iterable<Buffer> {
    yield this.#head
    const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / this.#line.length))
    const chunk = Buffer.alloc(perChunk * this.#line.length, this.#line)
    let left = this.sizeBytes - this.#head.length
    for (; left >= chunk.length + 2; left -= chunk.length) yield chunk
    const lines = Math.floor((left - 2) / this.#line.length)
    yield chunk.subarray(0, lines * this.#line.length)
    left -= lines * this.#line.length
    // At most one line less its own end, so that the end is a CRLF and no line starts with a piece of another's end.
    const rest = Buffer.alloc(left, 'x')
    CRLF.copy(rest, left - 2)
    yield rest
  }
}

export class Mailbox {
  readonly user: string
  password: string
  readonly messages: StoredMessage[] = []
  /** How many sessions are signed in; when the last one ended with QUIT, by the server's `now`. */
  sessions = 0
  lastQuitMs: number | null = null
  #added = 0

  constructor(user: string, password: string) {
    this.user = user
    this.password = password
  }

  add(message: string | Buffer | Sparse, options: { readonly uidl?: string } = {}): StoredMessage {
    this.#added += 1
    const uidl = options.uidl ?? `uid${String(this.#added).padStart(8, '0')}`
    const stored =
      typeof message === 'string' || Buffer.isBuffer(message)
        ? new WholeMessage(uidl, normalise(message))
        : new SparseMessage(uidl, message)
    this.messages.push(stored)
    return stored
  }

  /** Takes messages out, as another client of the same mailbox would. */
  remove(gone: ReadonlySet<StoredMessage>): void {
    const left = this.messages.filter((message) => !gone.has(message))
    this.messages.length = 0
    for (const message of left) this.messages.push(message)
  }
}

/** Doubles the dot of every line that starts with one. Only CRLF ends a line: `\n.` is left alone (P115). */
export function stuff(bytes: Buffer, atLineStart = true): Buffer {
  const first = atLineStart && bytes[0] === DOT
  let next = bytes.indexOf('\r\n.')
  if (!first && next === -1) return bytes
  const pieces: Buffer[] = first ? [Buffer.from('.')] : []
  let from = 0
  for (; next !== -1; next = bytes.indexOf('\r\n.', from)) {
    pieces.push(bytes.subarray(from, next + 2), Buffer.from('.'))
    from = next + 2
  }
  pieces.push(bytes.subarray(from))
  return Buffer.concat(pieces)
}

/** The header, the blank line and `lines` lines of the body (RFC 1939, TOP). */
export function top(bytes: Buffer, lines: number): Buffer {
  const blank = bytes.indexOf('\r\n\r\n')
  if (blank === -1) return bytes
  let end = blank + 4
  for (let left = lines; left > 0 && end < bytes.length; left -= 1) {
    const next = bytes.indexOf('\r\n', end)
    end = next === -1 ? bytes.length : next + 2
  }
  return bytes.subarray(0, end)
}
