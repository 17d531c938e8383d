// How fast a migration may read, all its sessions together: so many bytes a second, on average over a second. Knows no
// session; whoever waits for it does not read, and so the server has to wait.
import { setTimeout as pause } from 'node:timers/promises'

/** What was not used up stays good for so long. */
const BURST_MS = 1000

export class Rate {
  readonly #bytesPerMs: number
  readonly #nowMs: () => number
  readonly #stop: AbortSignal
  /** Up to when the bytes that came are paid for. */
  #paidMs: number

  /** Once `stop` is aborted nobody waits any more: what is under way is to come to its end. */
  constructor(bytesPerSecond: number, nowMs: () => number, stop: AbortSignal) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#nowMs = nowMs
    this.#stop = stop
    this.#paidMs = nowMs()
  }

  /** So many bytes came; resolves when the next may come. */
  take(bytes: number): Promise<void> | undefined {
    const nowMs = this.#nowMs()
    this.#paidMs = Math.max(this.#paidMs, nowMs - BURST_MS) + bytes / this.#bytesPerMs
    const waitMs = this.#paidMs - nowMs
    if (waitMs <= 0 || this.#stop.aborted) return undefined
    return pause(waitMs, undefined, { signal: this.#stop }).catch(() => {})
  }
}
