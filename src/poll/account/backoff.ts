// When an account may be tried again (DESIGN 5). Pure: the last health × how this poll went × now → the next health.
// The one rule: a refused password never becomes a storm that locks the account, for cron and daemon alike (N009, P052).
import { createHash } from 'node:crypto'
import type { PopfetchError } from '../../errors.ts'
import type { AccountHealth } from '../../ledger/ledger.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Two refusals may be the server's mistake: some refuse good passwords now and then (P052). */
const REFUSALS_FORGIVEN = 2
const FIRST_PAUSE_MS = 15 * MINUTE_MS
const LONGEST_PAUSE_MS = 24 * HOUR_MS
/** cron's minutes are not exact: a poll that comes a little early is still made, in spite of LOGIN-DELAY. */
const SLACK_MS = 10_000

export interface PollEnd {
  /** Null: it went well. */
  readonly error: PopfetchError | null
  /** Of the secret that was tried; null: it came to no sign-in. */
  readonly secretMark: number | null
  /** When we signed in, and what LOGIN-DELAY the server asks for; null: none. */
  readonly signedInMs: number | null
  readonly loginDelaySeconds: number | null
}

export function nextHealth(last: AccountHealth, end: PollEnd, nowMs: number): AccountHealth {
  const { error } = end
  const sameSecret = end.secretMark === null || end.secretMark === last.secretMark
  const refusals =
    error?.code === 'ERR_AUTH' ? (sameSecret ? last.refusals : 0) + 1 : error === null ? 0 : last.refusals
  return {
    lastPollMs: nowMs,
    lastSuccessMs: error === null ? nowMs : last.lastSuccessMs,
    failures: error === null ? 0 : last.failures + 1,
    refusals,
    secretMark: end.secretMark ?? last.secretMark,
    pausedUntilMs: pausedUntil(end, refusals, nowMs),
    error: error === null ? null : { code: error.code, message: error.message, retry: error.retry },
  }
}

function pausedUntil({ error, signedInMs, loginDelaySeconds }: PollEnd, refusals: number, nowMs: number): number {
  const delayed =
    signedInMs === null || loginDelaySeconds === null ? 0 : signedInMs + loginDelaySeconds * 1000 - SLACK_MS
  const asked = error === null || error.pauseMs === 0 ? 0 : nowMs + error.pauseMs
  if (error?.code === 'ERR_AUTH' && refusals > REFUSALS_FORGIVEN) {
    const doublings = Math.min(refusals - REFUSALS_FORGIVEN - 1, 10)
    return Math.max(asked, nowMs + Math.min(FIRST_PAUSE_MS * 2 ** doublings, LONGEST_PAUSE_MS))
  }
  return Math.max(asked, delayed)
}

/** How long the background process waits with the next poll, at `nowMs`. After a failure of network or server it
 *  is 1 minute, doubling to an hour; after a failure that only a person can mend, never less than usual. */
export function waitMs(health: AccountHealth, intervalMs: number, nowMs: number): number {
  const { failures, refusals, error, pausedUntilMs } = health
  const backOffMs = failures === 0 ? 0 : Math.min(MINUTE_MS * 2 ** Math.min(failures - 1, 10), HOUR_MS)
  const mendsItself = failures > 0 && error?.retry === 'soon'
  const usualMs = mendsItself ? backOffMs : Math.max(intervalMs, backOffMs)
  if (!isPaused(health, nowMs)) return usualMs
  const pausedMs = pausedUntilMs + SLACK_MS - nowMs
  // A changed password is tried at once (N010): the poll looks at it, and at nothing else while it is the old one.
  if (refusals > REFUSALS_FORGIVEN) return Math.min(pausedMs, Math.max(intervalMs, MINUTE_MS))
  return Math.max(usualMs, pausedMs)
}

/** Must the account be left alone? A clock that was set back must not leave it alone for ever (S030). */
export function isPaused(health: AccountHealth, nowMs: number): boolean {
  return health.pausedUntilMs > nowMs && health.pausedUntilMs - nowMs <= LONGEST_PAUSE_MS
}

/** 16 bits: enough to notice a changed secret, too few to guess it from (DESIGN 3). */
export function secretMark(salt: string, secret: string): number {
  return createHash('sha256').update(`${salt}\0${secret}`).digest().readUInt16BE(0)
}
