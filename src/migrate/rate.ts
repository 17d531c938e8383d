// How fast a migration may read, all its sessions together: this many bytes a second, on average over a second. A session that
// waits for it does not read, and so the server has to wait.
import { setTimeout as pause } from 'node:timers/promises'

/** What was not used may be used so much later. */
const BURST_MS = 1000

export class Rate {
  readonly #bytesPerMs: number
  readonly #nowMs: () => number
  readonly #stop: AbortSignal
  /** The time until which the bytes that came use up the rate. */
  #paidMs: number

  /** Once `stop` is aborted nobody waits any more, so that messages under way come to their end. */
  constructor(bytesPerSecond: number, nowMs: () => number, stop: AbortSignal) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#nowMs = nowMs
    this.#stop = stop
    this.#paidMs = nowMs()
  }

  /** To be told how many bytes came. Resolves when the next may come; undefined: at once. */
  take(bytes: number): Promise<void> | undefined {
    const nowMs = this.#nowMs()
    this.#paidMs = Math.max(this.#paidMs, nowMs - BURST_MS) + bytes / this.#bytesPerMs
    const waitMs = this.#paidMs - nowMs
    if (waitMs <= 0 || this.#stop.aborted) return undefined
    return pause(waitMs, undefined, { signal: this.#stop }).catch(() => {})
  }
}
