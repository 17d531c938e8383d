// The way from a fake server to its client. It gathers small pieces into large writes, cuts the stream where the faults say so,
// and tells when the client does not keep up. Knows bytes, no commands.
import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Socket } from 'node:net'
import type { Faults } from './faults.ts'

/** Large enough that the cost of a write does not count. */
const GATHER_BYTES = 128 * 1024

export class Outgoing {
  readonly #faults: Faults
  /** Called once, in the middle of push(), when the stream was cut. */
  readonly #onCut: (mode: Faults['cutMode']) => void
  #socket: Socket
  #pending: Buffer[] = []
  #pendingBytes = 0
  #sentBytes = 0
  #cut = false
  #pacing: Promise<void> | null = null

  constructor(socket: Socket, faults: Faults, onCut: (mode: Faults['cutMode']) => void) {
    this.#socket = socket
    this.#faults = faults
    this.#onCut = onCut
  }

  /** From here on over TLS. What was pushed before has gone out in the clear. */
  moveTo(socket: Socket): void {
    this.#socket = socket
  }

  push(bytes: Buffer | string): void {
    if (this.#cut) return
    const piece = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
    const limit = this.#faults.cutTimes > 0 ? (this.#faults.cutAfterBytes ?? Infinity) : Infinity
    const room = limit - this.#sentBytes
    this.#cut = piece.length >= room
    const kept = this.#cut ? piece.subarray(0, Math.max(0, room)) : piece
    this.#sentBytes += kept.length
    this.#pending.push(kept)
    this.#pendingBytes += kept.length
    if (this.#cut) {
      this.#faults.cutTimes -= 1
      this.#onCut(this.#faults.cutMode)
    } else if (this.#pendingBytes >= GATHER_BYTES) this.flush()
  }

  flush(): void {
    if (this.#pendingBytes === 0 || this.#pacing) return
    const [first] = this.#pending
    const bytes = this.#pending.length === 1 && first ? first : Buffer.concat(this.#pending, this.#pendingBytes)
    this.#pending = []
    this.#pendingBytes = 0
    if (this.#faults.pace) {
      this.#pacing = this.#walk(bytes).finally(() => {
        this.#pacing = null
      })
    } else this.#write(bytes)
  }

  /** Is it time to wait for drained() before more is pushed? */
  get blocked(): boolean {
    return this.#pacing !== null || (this.#socket.writableNeedDrain && this.#socket.writable)
  }

  /** Resolves when the client has taken enough, or is gone. */
  async drained(): Promise<void> {
    while (this.#pacing) {
      await this.#pacing
      this.flush()
    }
    const socket = this.#socket
    if (!socket.writableNeedDrain || !socket.writable) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        socket.off('drain', done)
        socket.off('close', done)
        resolve()
      }
      socket.on('drain', done)
      socket.on('close', done)
    })
  }

  /** Resolves when all that was pushed has been handed to the kernel, or the client is gone. */
  async finished(): Promise<void> {
    this.flush()
    await this.drained()
    await new Promise<void>((resolve) => {
      if (this.#socket.writable) this.#socket.write('', () => resolve())
      else resolve()
    })
  }

  async #walk(bytes: Buffer): Promise<void> {
    let from = 0
    while (from < bytes.length && this.#socket.writable) {
      const { chunkBytes, pauseMs } = this.#faults.pace ?? { chunkBytes: bytes.length, pauseMs: 0 }
      this.#write(bytes.subarray(from, from + chunkBytes))
      from += chunkBytes
      if (pauseMs > 0) await setTimeout(pauseMs)
      else await setImmediate()
    }
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes)
  }
}
