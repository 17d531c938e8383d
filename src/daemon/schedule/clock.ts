// Time as the background process sees it: a clock that people set, one that only runs, and what it means when they differ.
import { performance } from 'node:perf_hooks'

/** Passed in, so that a test can be the time. */
export interface Clock {
  /** What people call the time; it may jump. */
  readonly nowMs: () => number
  /** Only runs; on Linux it stands still while the machine sleeps. */
  readonly elapsedMs: () => number
  /** Calls `act` once, some time after `delayMs`; the returned function calls it off. */
  readonly after: (delayMs: number, act: () => void) => () => void
}

export const systemClock: Clock = {
  nowMs: Date.now,
  elapsedMs: () => performance.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, delayMs)
    return () => clearTimeout(timer)
  },
}

/** A timer that is later than that, or clocks that differ by that much: the machine slept, the process was stopped, or the
 *  clock was set. Then sockets are dead and plans are old (N006). */
const GAP_MS = 30_000

/** Notices that time went on without us. */
export class GapWatch {
  readonly #clock: Clock
  readonly #segmentMs: number
  #nowMs: number
  #elapsedMs: number

  /** It will be asked again within `segmentMs`, if all is well. */
  constructor(clock: Clock, segmentMs: number) {
    this.#clock = clock
    this.#segmentMs = segmentMs
    this.#nowMs = clock.nowMs()
    this.#elapsedMs = clock.elapsedMs()
  }

  /** Whether there was a gap since it was last asked. */
  passed(): boolean {
    const [nowMs, elapsedMs] = [this.#clock.nowMs(), this.#clock.elapsedMs()]
    const [wall, own] = [nowMs - this.#nowMs, elapsedMs - this.#elapsedMs]
    this.#nowMs = nowMs
    this.#elapsedMs = elapsedMs
    return Math.abs(wall - own) > GAP_MS || own - this.#segmentMs > GAP_MS
  }
}
