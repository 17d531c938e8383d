// One account's place in the plan: when it is polled next, how often, who waits for it. Knows no other account and no timer.
import type { Account } from '../../config/schema.ts'
import type { PopfetchError } from '../../errors.ts'
import type { AccountHealth } from '../../ledger/ledger.ts'
import { waitMs } from '../../poll/account/backoff.ts'
import type { AccountReport } from '../../poll/report.ts'

/** Accounts that begin together do not stay together (N008). */
const JITTER = 0.1
/** An adaptive interval grows by so much after each poll that found nothing: from 1 minute to 30 in nine polls. */
const SLOWER = 1.5
/** A poll that another popfetch kept from happening is made up for that soon. */
const BUSY_WAIT_MS = 60_000
/** First polls, and those that a signal or a sleeping machine cut short, begin within that. */
export const SPREAD_MS = 10_000
/** Neither begun, nor heard of: that is not slow any more. Ten times an account's `timeout` may pass with good reason. */
const SILENCE_MS = 15 * 60_000
const SILENT_TIMEOUTS = 12

export interface Moment {
  readonly nowMs: number
  readonly elapsedMs: number
}

export interface Asker {
  /** A person asks: back-off is not obeyed. */
  readonly eager: boolean
  resolve(report: AccountReport): void
  reject(error: PopfetchError): void
}

export class Appointment {
  account: Account
  /** By the clock that only runs. Null: being polled, or waiting for its turn. */
  dueMs: number | null = null
  /** When it was last heard of, by the same clock. */
  heardMs: number
  /** Those who wait for a poll that has not begun yet. */
  askers: Asker[] = []
  /** What was thrown where nothing may be thrown, in the poll that runs; null: nothing was. */
  bug: unknown = null
  #intervalMs: number
  #bugs = 0

  constructor(account: Account, elapsedMs: number) {
    this.account = account
    this.heardMs = elapsedMs
    this.#intervalMs = account.poll.minMs
  }

  /** The account as it now stands in the configuration. */
  change(account: Account): void {
    this.account = account
    this.#intervalMs = account.poll.minMs
  }

  /** The first poll: soon, unless the ledger says that it failed and when it may be tried again (N009). */
  plan(health: AccountHealth | null, { nowMs, elapsedMs }: Moment, random: number): void {
    const spreadMs = random * SPREAD_MS
    this.dueMs = elapsedMs + Math.max(spreadMs, health === null ? 0 : this.#leftMs(health, nowMs))
    this.heardMs = this.dueMs
  }

  /** What is left of a wait that began in another life of the process. */
  #leftMs(health: AccountHealth, nowMs: number): number {
    const { lastPollMs, failures, pausedUntilMs } = health
    if (failures === 0) return waitMs(health, 0, nowMs)
    const wait = waitMs(health, this.#intervalMs, nowMs)
    // A pause is told as a time of day, and so is not counted from the last poll again.
    if (pausedUntilMs > nowMs || lastPollMs === null) return wait
    // A clock that was set back must not make it wait for years.
    return Math.min(wait, Math.max(0, lastPollMs + wait - nowMs))
  }

  /** The next poll, counted from the end of this one: a poll that takes longer than the interval delays the next (N007). */
  again(report: AccountReport, health: AccountHealth | null, at: Moment, random: number): void {
    this.heardMs = at.elapsedMs
    this.dueMs = at.elapsedMs + this.#waitMs(report, health, at.nowMs, random)
  }

  #waitMs(report: AccountReport, health: AccountHealth | null, nowMs: number, random: number): number {
    // Also when a bug had it cut short; of that nothing is recorded.
    if (report.error?.code === 'ERR_ABORTED' && health !== null) return random * SPREAD_MS
    const active = report.new > 0 || report.delivered > 0
    const { minMs, maxMs } = this.account.poll
    if (report.outcome === 'ok' || report.outcome === 'partial') {
      this.#intervalMs = active ? minMs : Math.min(maxMs, this.#intervalMs * SLOWER)
    }
    const jittered = (ms: number): number => ms * (1 + JITTER * (2 * random - 1))
    if (report.outcome === 'busy') return jittered(Math.min(this.#intervalMs, BUSY_WAIT_MS))
    if (health === null) {
      // Nothing was recorded, so nobody else counts: minutes, doubling to an hour.
      const wait = Math.min(60_000 * 2 ** Math.min(this.#bugs++, 6), 3_600_000)
      return jittered(Math.max(this.#intervalMs, wait))
    }
    this.#bugs = 0
    // What a server asked for is kept to: jitter only adds to it.
    const wait = waitMs(health, this.#intervalMs, nowMs)
    return Math.max(jittered(wait), health.pausedUntilMs > nowMs ? wait : 0)
  }

  /** At work, or waiting for its turn, and not heard of for longer than anything takes (N035). */
  isOverdue(elapsedMs: number): boolean {
    const silenceMs = Math.max(SILENCE_MS, SILENT_TIMEOUTS * this.account.timeoutMs)
    return elapsedMs - Math.max(this.heardMs, this.dueMs ?? 0) > silenceMs
  }
}
