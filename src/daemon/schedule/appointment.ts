// One account's place in the plan: when it is due, how often, and who waits for its poll. Knows no other account and no timer.
import type { Account } from '../../config/schema.ts'
import type { PopfetchError } from '../../errors.ts'
import type { AccountHealth, AccountRecord } from '../../ledger/ledger.ts'
import { waitMs } from '../../poll/account/backoff.ts'
import type { AccountReport } from '../../poll/report.ts'

/** So that accounts that begin together do not stay together (N008, everybody at once). */
const JITTER = 0.1
/** An adaptive interval grows by so much after each poll that found nothing: from 1 minute to 30 in nine polls. */
const SLOWER = 1.5
/** So soon is a poll tried again that another popfetch prevented. */
const BUSY_WAIT_MS = 60_000
/** First polls, and polls after one that was cut short (a signal, a machine that slept), begin within that. */
export const SPREAD_MS = 10_000
/** Where there are many accounts, they begin within so long for each. */
const SPREAD_EACH_MS = 20
/** An account that is due or polled hangs when it is silent for longer than this and for longer than this many timeouts. A slow
 *  server may use up ten of them. */
const SILENCE_MS = 15 * 60_000
const SILENT_TIMEOUTS = 12
/** No back-off is longer than a day; some jitter is added to it. */
const LONGEST_BACKOFF_MS = 24 * 3_600_000
const ROOM = 1.5

export interface Moment {
  readonly nowMs: number
  readonly elapsedMs: number
}

export interface Asker {
  /** A person asks: the back-off does not hold. */
  readonly eager: boolean
  /** Since when, by the clock that never jumps. */
  readonly sinceMs: number
  resolve(report: AccountReport): void
  reject(error: PopfetchError): void
}

/** How long first polls are spread over, of so many accounts of which one has this interval. */
export function spreadMs(accounts: number, intervalMs: number): number {
  return Math.max(SPREAD_MS, Math.min(intervalMs, accounts * SPREAD_EACH_MS))
}

export class Appointment {
  account: Account
  /** By the clock that never jumps. Null: it is being polled, or waits for a free place. */
  dueMs: number | null = null
  /** It waits for a free place since then, by the same clock; null: it does not. An account that waits its turn is late, and hangs
   *  for that no more than it is silent. */
  waitsSinceMs: number | null = null
  /** The last sign of life, by the same clock. */
  heardMs: number
  /** Those who wait for the next poll, which has not begun yet. */
  askers: Asker[] = []
  /** Is it to be polled whether the ledger says that it is due or not? */
  anyway = false
  /** Was it woken while it was asked for or polled? */
  wokenMeanwhile = false
  /** How often another process was found to have it while somebody asked. */
  heldInARow = 0
  /** An error that no promise caught, in the poll that runs; null: none. */
  bug: unknown = null
  #intervalMs: number
  #bugs = 0
  /** When the last poll of which this process knows ended, as recorded. */
  #lastPollMs: number | null = null

  constructor(account: Account, elapsedMs: number) {
    this.account = account
    this.heardMs = elapsedMs
    this.#intervalMs = account.poll.minMs
  }

  /** The account as it now is in the configuration. */
  change(account: Account): void {
    this.account = account
    this.#intervalMs = account.poll.minMs
  }

  /** The first poll: soon, unless the ledger says that the account failed and must rest for longer (N009, restart loop). */
  plan(health: AccountHealth | null, { nowMs, elapsedMs }: Moment, afterMs: number): void {
    this.dueMs = elapsedMs + Math.max(afterMs, health === null ? 0 : this.#leftMs(health, nowMs))
    this.heardMs = this.dueMs
  }

  /** The rest of a wait that began in an earlier process. */
  #leftMs(health: AccountHealth, nowMs: number): number {
    const { lastPollMs, failures, pausedUntilMs } = health
    if (failures === 0) return waitMs(health, 0, nowMs)
    const wait = waitMs(health, this.#intervalMs, nowMs)
    // A pause ends at a time of day, so it does not count from the last poll.
    if (pausedUntilMs > nowMs || lastPollMs === null) return wait
    // The clock may have been set back: never wait for longer than the whole wait.
    return Math.min(wait, Math.max(0, lastPollMs + wait - nowMs))
  }

  /** Later than this from now nobody plans it. */
  get longestMs(): number {
    return ROOM * Math.max(LONGEST_BACKOFF_MS, this.account.poll.maxMs)
  }

  /** Its poll begins; `record`: as it was then. Another process may have polled it since, at an interval that this one must follow. */
  begin(record: AccountRecord | null, { nowMs, elapsedMs }: Moment): void {
    this.waitsSinceMs = null
    this.heardMs = elapsedMs
    this.anyway = false
    this.heldInARow = 0
    const lastPollMs = record?.lastPollMs ?? null
    if (lastPollMs === null || lastPollMs === this.#lastPollMs || record?.failures !== 0) return
    const { minMs, maxMs } = this.account.poll
    this.#intervalMs = Math.min(maxMs, Math.max(minMs, nowMs - lastPollMs))
  }

  /** How long until the next poll. It counts from the end of this one, so that polls never overlap (N007, overlapping polls). */
  waitMs(report: AccountReport, health: AccountHealth | null, nowMs: number, random: number): number {
    this.#lastPollMs = health?.lastPollMs ?? null
    // Cut short, so soon again. After a bug nothing is recorded (`health` is null), and the longer wait below holds.
    if (report.error?.code === 'ERR_ABORTED' && health !== null) return random * SPREAD_MS
    const active = report.new > 0 || report.delivered > 0
    const { minMs, maxMs } = this.account.poll
    if (report.outcome === 'ok' || report.outcome === 'partial') {
      this.#intervalMs = active ? minMs : Math.min(maxMs, this.#intervalMs * SLOWER)
    }
    const jittered = (ms: number): number => ms * (1 + JITTER * (2 * random - 1))
    if (report.outcome === 'busy') return jittered(Math.min(this.#intervalMs, BUSY_WAIT_MS))
    if (health === null) {
      // Nothing was recorded, so the failures are counted here: a minute, doubling to an hour.
      const wait = Math.min(60_000 * 2 ** Math.min(this.#bugs++, 6), 3_600_000)
      return jittered(Math.max(this.#intervalMs, wait))
    }
    this.#bugs = 0
    // A pause that the server asked for is never shortened: jitter only adds to it.
    const wait = waitMs(health, this.#intervalMs, nowMs)
    return Math.max(jittered(wait), health.pausedUntilMs > nowMs ? wait : 0)
  }

  /** It is planned again, so long after this moment. */
  again(elapsedMs: number, afterMs: number): void {
    this.waitsSinceMs = null
    this.heardMs = elapsedMs
    this.dueMs = elapsedMs + afterMs
  }

  /** How long it may be silent (N035, alive but stuck). */
  get silenceMs(): number {
    return Math.max(SILENCE_MS, SILENT_TIMEOUTS * this.account.timeoutMs)
  }

  /** Due or being polled, and silent for longer than anything takes. */
  isOverdue(elapsedMs: number): boolean {
    if (this.waitsSinceMs !== null) return false
    return elapsedMs - Math.max(this.heardMs, this.dueMs ?? 0) > this.silenceMs
  }
}
