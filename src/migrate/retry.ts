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

/** DESIGN 2: with `--keep-trying` a line that is down for a day is asked four times an hour. */
const LONGEST_PATIENT_MS = 15 * 60_000

/** What lines, names and servers may mend by themselves. */
const OUTSIDE: ReadonlySet<string> = new Set([
  'ERR_CONNECT',
  'ERR_TIMEOUT',
  'ERR_TLS',
  'ERR_POP3_REPLY',
  'ERR_POP3_PROTOCOL',
  'ERR_DELIVERY',
])

export class Retries {
  /** Null: some minutes. */
  readonly #keepTryingMs: number | null
  /** Since something was delivered or deleted. The clock does not count: a laptop that sleeps has not tried. */
  #waitedMs = 0
  #failures = 0
  #stubborn = 0
  #idle = 0
  #worked = false

  constructor(keepTryingMs: number | null = null) {
    this.#keepTryingMs = keepTryingMs
  }

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
      this.#waitedMs = 0
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
    const patienceMs = isOutside(error) ? this.#keepTryingMs : null
    const isOver =
      patienceMs !== null ? this.#waitedMs >= patienceMs : this.#failures >= MOST_FAILURES || this.#isStubborn(end)
    if (error.retry === 'never' || isOver) return { kind: 'give-up' }
    const longestMs = patienceMs !== null ? LONGEST_PATIENT_MS : LONGEST_BACK_OFF_MS
    const backOffMs = Math.min(SHORTEST_MS * 2 ** Math.max(0, this.#failures - 1), longestMs)
    // A mailbox in use is most often held by our own lost session, so the server's pause need not be kept in full.
    const pausedUntilMs = error.retry === 'later' ? end.pausedUntilMs : 0
    const waitMs = Math.max(backOffMs, soonest - nowMs, pausedUntilMs - nowMs)
    this.#waitedMs += waitMs
    return { kind: 'again', waitMs }
  }

  #isStubborn({ error, pausedUntilMs, nowMs }: SessionEnd): boolean {
    // A name that no host has is mistyped, unless it was found before.
    if (error?.code === 'ERR_CONNECT' && error.retry === 'later') return !this.#worked
    if (error === null || (error.code !== 'ERR_BUG' && (error.retry === 'soon' || pausedUntilMs > nowMs))) return false
    return !this.#worked || ++this.#stubborn >= MOST_STUBBORN
  }
}

/** A password, a folder or a full disk is for somebody to mend: asking for a week is no help. */
function isOutside({ code, exit = 75 }: ReportedError): boolean {
  return OUTSIDE.has(code) && (exit === 75 || exit === 76)
}
