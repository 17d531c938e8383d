// The bytes between imapflow and its server. A stream over a connected socket that knows how much the kernel has, and ends a
// connection that takes nothing for too long. Commands of our own (append.ts) go over it too: their answers are taken out of what
// imapflow reads. The rule: what does not begin like an IMAP server is not listened to (P021, another service), nor one that signs
// us in unasked.
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** So much at once: a message that is cut off is known to be incomplete while a piece of it has not been handed over. */
const PIECE_BYTES = 64 * 1024
const LONGEST_GREETING = 8192
/** Of a line in which an answer to us is looked for. */
const LONGEST_LINE = 16 << 20
/** At the end of a line: this many bytes follow that are no line. */
const LITERAL = /\{(\d{1,10})\+?\}\r?\n$/
const LITERAL_LENGTH = 24
const BYE = /^\* ?BYE\b/i
const GREETING = /^\* ?(?:OK|BYE)\b/i

/** It is no IMAP server. */
export class NotImap extends Error {}

/** It took nothing for too long. */
export class Stalled extends Error {}

/** A command of ours. */
export interface Exchange {
  /** What follows the tag in the answer. Rejects when the connection ends before it. */
  readonly answer: Promise<string>
  /** Was all of it handed over? */
  readonly sent: () => boolean
  /** Was any of it? */
  readonly begun: () => boolean
  /** The first group of `hears` in what else came until then; null: nothing fitted. */
  readonly heard: () => string | null
}

interface Waiting {
  readonly hears: RegExp | null
  heard: string | null
  readonly resolve: (line: string) => void
  readonly reject: (error: Error) => void
}

export class Wire extends Duplex {
  readonly socket: Socket
  /** Bytes handed to the kernel, or to TLS. */
  handed = 0
  /** What the server said when it went away; null: it did not. */
  bye: string | null = null
  readonly #blockMs: number
  #timer: NodeJS.Timeout | null = null
  /** What came before the greeting was known to be one; null: it is. */
  #greeting: Buffer | null
  /** Of the piece that is being written, what was handed over. */
  #handedOfChunk = 0
  /** Our commands that are not answered, by tag. */
  readonly #waiting = new Map<string, Waiting>()
  /** The beginning of a line that may be an answer to us. */
  #held = Buffer.alloc(0)
  /** The end of what imapflow has of a line that is not complete; null: a line begins. */
  #begun: string | null = null
  /** This many bytes of a literal for imapflow follow. */
  #literalBytes = 0

  constructor(socket: Socket, { blockMs, greeted }: { blockMs: number; greeted: boolean }) {
    super({ allowHalfOpen: false })
    this.socket = socket
    this.#blockMs = blockMs
    this.#greeting = greeted ? null : Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk))
    socket.once('end', () => this.#ended())
    socket.once('error', (error) => this.destroy(error))
    socket.once('close', () => this.destroy())
    socket.pause()
  }

  /** imapflow's own watch for silence. Every wait has a limit of ours. */
  setTimeout(): this {
    return this
  }

  /** Sends a command of ours, which begins with this tag. */
  exchange(tag: string, parts: readonly Buffer[], hears: RegExp | null = null): Exchange {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    promise.catch(() => {})
    const bytes = parts.reduce((sum, { length }) => sum + length, 0)
    const start = this.handed - this.#handedOfChunk + this.writableLength
    const end = start + bytes
    const waiting: Waiting = { resolve, reject, hears, heard: null }
    if (this.destroyed) reject(new Error('the connection was closed'))
    else {
      this.#waiting.set(tag, waiting)
      for (const part of parts) this.write(part)
    }
    return {
      answer: promise,
      sent: () => this.handed >= end,
      begun: () => this.handed > start,
      heard: () => waiting.heard,
    }
  }

  override _read(): void {
    this.socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let at = 0
    const next = (error?: Error | null): void => {
      if (this.#timer !== null) clearTimeout(this.#timer)
      this.#timer = null
      if (error || at >= chunk.length) {
        this.#handedOfChunk = 0
        return done(error)
      }
      const piece = at === 0 && chunk.length <= PIECE_BYTES ? chunk : chunk.subarray(at, at + PIECE_BYTES)
      at += piece.length
      this.handed += piece.length
      this.#handedOfChunk = at
      this.#timer = setTimeout(() => this.destroy(new Stalled('it takes no more bytes')), this.#blockMs)
      this.socket.write(piece, next)
    }
    next()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    // At once, without a word: an orderly end in the middle of a message could pass for its end.
    this.socket.destroy()
    this.#giveUp(error ?? new Error('the connection was closed'))
    done(error)
  }

  #arrived(chunk: Buffer): void {
    let whole = chunk
    if (this.#greeting !== null) {
      whole = Buffer.concat([this.#greeting, chunk])
      if (whole.indexOf(10) < 0 && whole.length < LONGEST_GREETING) {
        this.#greeting = whole
        return
      }
      this.#greeting = null
      const line = whole.toString('latin1', 0, 200)
      if (!GREETING.test(line)) return void this.destroy(new NotImap(line.split('\n', 1)[0] ?? ''))
    }
    this.#sort(whole)
  }

  #pass(bytes: Buffer): void {
    if (bytes.length > 0 && !this.push(bytes)) this.socket.pause()
  }

  /** Takes out the answers to our commands. What stands within a literal is none, whoever wrote it. */
  #sort(chunk: Buffer): void {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = Buffer.alloc(0)
    let passed = 0
    let at = 0
    while (at < data.length) {
      if (this.#literalBytes > 0) {
        const bytes = Math.min(this.#literalBytes, data.length - at)
        this.#literalBytes -= bytes
        at += bytes
        continue
      }
      const end = data.indexOf(10, at)
      const line = data.subarray(at, end < 0 ? data.length : end + 1)
      if (end < 0) {
        if (this.#waiting.size === 0 || this.#begun !== null || line.length > LONGEST_LINE) {
          this.#begun = ((this.#begun ?? '') + lastOf(line)).slice(-LITERAL_LENGTH)
          break
        }
        this.#held = Buffer.from(line)
        return this.#pass(data.subarray(passed, at))
      }
      if (this.#begun === null && this.#isOurs(line)) {
        this.#pass(data.subarray(passed, at))
        passed = end + 1
        this.#take(line)
      } else {
        if (this.#begun === null && BYE.test(lastOf(line.subarray(0, LITERAL_LENGTH)))) this.#bye(line)
        this.#hear(line)
        const [, bytes = '0'] = LITERAL.exec((this.#begun ?? '') + lastOf(line)) ?? []
        this.#literalBytes = Number(bytes)
        this.#begun = null
      }
      at = end + 1
    }
    this.#pass(data.subarray(passed))
  }

  #bye(line: Buffer): void {
    this.bye = line.toString('latin1', 0, 1000).replace(BYE, '').trim()
  }

  #hear(line: Buffer): void {
    for (const waiting of this.#waiting.values())
      if (waiting.hears !== null) waiting.heard ??= waiting.hears.exec(line.toString('latin1', 0, 4096))?.[1] ?? null
  }

  #isOurs(line: Buffer): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(line.toString('latin1', 0, Math.max(0, line.indexOf(32))))
  }

  #take(line: Buffer): void {
    const text = line.toString('latin1')
    const tag = text.slice(0, text.indexOf(' '))
    const waiting = this.#waiting.get(tag)
    this.#waiting.delete(tag)
    waiting?.resolve(text.slice(tag.length + 1).trimEnd())
  }

  /** No answer comes any more. */
  #giveUp(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  #ended(): void {
    this.#giveUp(new Error('the server closed the connection'))
    const rest = this.#greeting?.toString('latin1', 0, 200) ?? ''
    if (rest !== '') this.destroy(new NotImap(rest))
    else this.push(null)
  }
}

function lastOf(line: Buffer): string {
  return line.toString('latin1', Math.max(0, line.length - LITERAL_LENGTH))
}
