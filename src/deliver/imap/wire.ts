// The bytes between imapflow and its server: a stream over a connected socket that knows how much the kernel has, and ends a
// connection that takes nothing for too long. The rule: what does not begin like an IMAP server is not listened to (P021, another
// service), nor one that signs us in unasked.
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** So much at once: a message that is cut off is known to be incomplete while a piece of it has not been handed over. */
const PIECE_BYTES = 64 * 1024
const LONGEST_GREETING = 8192
const GREETING = /^\* ?(?:OK|BYE)\b/i

/** It is no IMAP server. */
export class NotImap extends Error {}

/** It took nothing for too long. */
export class Stalled extends Error {}

export class Wire extends Duplex {
  readonly socket: Socket
  /** Bytes handed to the kernel, or to TLS. */
  handed = 0
  readonly #blockMs: number
  #timer: NodeJS.Timeout | null = null
  /** What came before the greeting was known to be one; null: it is. */
  #greeting: Buffer | null

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

  override _read(): void {
    this.socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let at = 0
    const next = (error?: Error | null): void => {
      if (this.#timer !== null) clearTimeout(this.#timer)
      this.#timer = null
      if (error || at >= chunk.length) return done(error)
      const piece = at === 0 && chunk.length <= PIECE_BYTES ? chunk : chunk.subarray(at, at + PIECE_BYTES)
      at += piece.length
      this.handed += piece.length
      this.#timer = setTimeout(() => this.destroy(new Stalled('it takes no more bytes')), this.#blockMs)
      this.socket.write(piece, next)
    }
    next()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    // At once, without a word: an orderly end in the middle of a message could pass for its end.
    this.socket.destroy()
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
    if (!this.push(whole)) this.socket.pause()
  }

  #ended(): void {
    const rest = this.#greeting?.toString('latin1', 0, 200) ?? ''
    if (rest !== '') this.destroy(new NotImap(rest))
    else this.push(null)
  }
}
