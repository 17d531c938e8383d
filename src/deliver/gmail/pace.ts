// How fast requests may go: Google counts units, 15,000 a minute for each user, and says "not now" to whoever is faster. One pace
// for a user, whatever its destinations are called. https://developers.google.com/workspace/gmail/api/reference/quota
import { setTimeout as sleep } from 'node:timers/promises'

export const UNITS = { import: 25, listLabels: 1, makeLabel: 5 } as const

/** A little less than is allowed: other programs of the same person count as well. */
const UNITS_PER_MS = 13_500 / 60_000
const MOST_SAVED = 1_500

export class Pace {
  #units = MOST_SAVED
  #countedMs = performance.now()
  #pausedUntilMs = 0

  /** Nobody asks before then. */
  pause(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, performance.now() + ms)
  }

  /** Waits until this many units may be used. Rejects when the signal is given. */
  async take(units: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const now = performance.now()
      this.#units = Math.min(MOST_SAVED, this.#units + (now - this.#countedMs) * UNITS_PER_MS)
      this.#countedMs = now
      const lacking = Math.max(0, units - this.#units)
      const waitMs = Math.max(this.#pausedUntilMs - now, lacking / UNITS_PER_MS)
      if (waitMs <= 0) {
        this.#units -= units
        return
      }
      await sleep(Math.ceil(waitMs), undefined, { signal })
    }
  }
}
