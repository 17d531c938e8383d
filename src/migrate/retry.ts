// Does another session follow, and when? Pure. One rule: a migration ends, because sessions without progress are counted,
// whatever the server says.
import type { ReportedError } from '../poll/report.ts'

export interface SessionEnd {
  readonly error: ReportedError | null
  /** Something was delivered or deleted. */
  readonly progress: boolean
  /** Some messages failed for the time being. */
  readonly deferred: boolean
  readonly nowMs: number
  /** The server asked to be left alone until then (LOGIN-DELAY); 0: it did not. */
  readonly delayedUntilMs: number
  /** The same, from a refusal that speaks of a limit; 0: it did not. */
  readonly pausedUntilMs: number
}

export type Next =
  | { readonly kind: 'end' }
  | { readonly kind: 'give-up' }
  | { readonly kind: 'again'; readonly waitMs: number }

/** Servers need a moment to release the mailbox after QUIT or a lost connection (P137, lock not released). */
const SHORTEST_MS = 2000
const LONGEST_BACK_OFF_MS = 60_000
/** 2 + 4 + 8 + … + 60 + 60 s: enough for a router that restarts or a server that is updated. */
const MOST_FAILURES = 10
/** A bad certificate, a refused password or a bug of ours seldom mends itself, but some servers refuse now and then (P052, bare
 *  -ERR to PASS). */
const MOST_STUBBORN = 3
/** A message that came short (P108, bytes missing) is believed in the next session, so one more is worth it. */
const MOST_IDLE = 2

export class Retries {
  #failures = 0
  #stubborn = 0
  #idle = 0
  #worked = false

  /** Failed sessions in a row that brought nothing. */
  get failures(): number {
    return this.#failures
  }

  after(end: SessionEnd): Next {
    const { error, progress, deferred, nowMs, delayedUntilMs } = end
    if (progress) {
      this.#failures = 0
      this.#idle = 0
      this.#stubborn = 0
    }
    const soonest = Math.max(nowMs + SHORTEST_MS, delayedUntilMs)
    if (error === null) {
      this.#worked = true
      this.#failures = 0
      if (!progress) this.#idle++
      if (!progress && (!deferred || this.#idle >= MOST_IDLE)) return { kind: 'end' }
      return { kind: 'again', waitMs: soonest - nowMs }
    }
    if (progress) this.#worked = true
    else this.#failures++
    if (error.retry === 'never' || this.#failures >= MOST_FAILURES || this.#isStubborn(end)) return { kind: 'give-up' }
    const backOffMs = Math.min(SHORTEST_MS * 2 ** Math.max(0, this.#failures - 1), LONGEST_BACK_OFF_MS)
    // A mailbox in use is most often held by our own lost session, so the server's pause need not be kept in full.
    const pausedUntilMs = error.retry === 'later' ? end.pausedUntilMs : 0
    return { kind: 'again', waitMs: Math.max(backOffMs, soonest - nowMs, pausedUntilMs - nowMs) }
  }

  #isStubborn({ error, pausedUntilMs, nowMs }: SessionEnd): boolean {
    if (error === null || (error.code !== 'ERR_BUG' && (error.retry === 'soon' || pausedUntilMs > nowMs))) return false
    return !this.#worked || ++this.#stubborn >= MOST_STUBBORN
  }
}
