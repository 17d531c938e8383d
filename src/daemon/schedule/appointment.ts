// One account's place in the plan: when it is due, how often, and who waits for its poll. Knows no other account and no timer.
import type { Account } from '../../config/schema.ts'
import type { PopfetchError } from '../../errors.ts'
import type { AccountHealth } from '../../ledger/ledger.ts'
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
/** An account that is due or polled hangs when it is silent for longer than this and for longer than this many timeouts. A slow
 *  server may use up ten of them. */
const SILENCE_MS = 15 * 60_000
const SILENT_TIMEOUTS = 12

export interface Moment {
  readonly nowMs: number
  readonly elapsedMs: number
}

export interface Asker {
  /** A person asks: the back-off does not hold. */
  readonly eager: boolean
  resolve(report: AccountReport): void
  reject(error: PopfetchError): void
}

export class Appointment {
  account: Account
  /** By the clock that never jumps. Null: it is being polled, or waits for a free place. */
  dueMs: number | null = null
  /** The last sign of life, by the same clock. */
  heardMs: number
  /** Those who wait for the next poll, which has not begun yet. */
  askers: Asker[] = []
  /** An error that no promise caught, in the poll that runs; null: none. */
  bug: unknown = null
  #intervalMs: number
  #bugs = 0

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
  plan(health: AccountHealth | null, { nowMs, elapsedMs }: Moment, random: number): void {
    const spreadMs = random * SPREAD_MS
    this.dueMs = elapsedMs + Math.max(spreadMs, health === null ? 0 : this.#leftMs(health, nowMs))
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

  /** The next poll. It counts from the end of this one, so that polls never overlap (N007, overlapping polls). */
  again(report: AccountReport, health: AccountHealth | null, at: Moment, random: number): void {
    this.heardMs = at.elapsedMs
    this.dueMs = at.elapsedMs + this.#waitMs(report, health, at.nowMs, random)
  }

  #waitMs(report: AccountReport, health: AccountHealth | null, nowMs: number, random: number): number {
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

  /** Due or being polled, and silent for longer than anything takes (N035, alive but stuck). */
  isOverdue(elapsedMs: number): boolean {
    const silenceMs = Math.max(SILENCE_MS, SILENT_TIMEOUTS * this.account.timeoutMs)
    return elapsedMs - Math.max(this.heardMs, this.dueMs ?? 0) > silenceMs
  }
}
