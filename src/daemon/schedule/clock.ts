// Time as the daemon sees it: a clock that people set, one that never jumps, and what it means when they differ.
import { performance } from 'node:perf_hooks'

/** Passed in, so that a test can be the time. */
export interface Clock {
  /** The time of day; it may jump. */
  readonly nowMs: () => number
  /** Never jumps; on Linux it stands still while the machine sleeps. */
  readonly elapsedMs: () => number
  /** Calls `act` once, after `delayMs` or somewhat later; the function that it returns calls it off. */
  readonly after: (delayMs: number, act: () => void) => () => void
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, delayMs)
    return () => clearTimeout(timer)
  },
}

/** A timer that is later than this, or clocks that drift apart by more. The machine slept, the process was stopped, or somebody
 *  set the clock. Then sockets are dead and plans are out of date (N006, suspend and resume). */
const GAP_MS = 30_000

/** Notices that time went on while the process did not. */
export class GapWatch {
  readonly #clock: Clock
  readonly #segmentMs: number
  #nowMs: number
  #elapsedMs: number

  /** passed() is to be called at least every `segmentMs`. */
  constructor(clock: Clock, segmentMs: number) {
    this.#clock = clock
    this.#segmentMs = segmentMs
    this.#nowMs = clock.nowMs()
    this.#elapsedMs = clock.elapsedMs()
  }

  /** Was there a gap since the last call? */
  passed(): boolean {
    const [nowMs, elapsedMs] = [this.#clock.nowMs(), this.#clock.elapsedMs()]
    const [wall, own] = [nowMs - this.#nowMs, elapsedMs - this.#elapsedMs]
    this.#nowMs = nowMs
    this.#elapsedMs = elapsedMs
    return Math.abs(wall - own) > GAP_MS || own - this.#segmentMs > GAP_MS
  }
}
