// When an account may be tried again (DESIGN 5). Pure: the last health × how this poll went × now → the next health.
// The one rule: a refused password never becomes a storm that locks the account, for cron and daemon alike (N009, P052).
import { DeliveryError, type PopfetchError } from '../../errors.ts'
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
  /** What the destinations said, where no error ended the poll. */
  readonly deliveries: DeliveryEnd
}

export interface DeliveryEnd {
  /** Null: neither a success nor a failure: nothing was delivered, for the messages' own sake or because of a rest. */
  readonly success: boolean | null
  /** Was something delivered that was due? */
  readonly delivered: boolean
  /** Only destinations that are left alone kept mail back. */
  readonly isRest: boolean
  readonly error: PopfetchError | null
}

export function nextHealth(last: AccountHealth, end: PollEnd, nowMs: number): AccountHealth {
  const { error } = end
  const sameSecret = end.secretMark === null || end.secretMark === last.secretMark
  const refusals =
    error?.code === 'ERR_AUTH' ? (sameSecret ? last.refusals : 0) + 1 : error === null ? 0 : last.refusals
  const common = {
    lastPollMs: nowMs,
    refusals,
    secretMark: end.secretMark ?? last.secretMark,
    pausedUntilMs: pausedUntil(end, refusals, nowMs),
  }
  if (error !== null)
    return { ...common, lastSuccessMs: last.lastSuccessMs, failures: last.failures + 1, error: reported(error) }
  return { ...common, ...afterDeliveries(last, end.deliveries, nowMs) }
}

/** A poll that was to deliver something and delivered nothing moves neither the last success nor the health (N041). */
function afterDeliveries(
  last: AccountHealth,
  { success, delivered, isRest, error }: DeliveryEnd,
  nowMs: number,
): Pick<AccountHealth, 'lastSuccessMs' | 'failures' | 'error'> {
  const lastSuccessMs = success === true || delivered ? nowMs : last.lastSuccessMs
  if (success === true) return { lastSuccessMs, failures: 0, error: null }
  const shown = error === null ? last.error : reported(error)
  if (success === false) return { lastSuccessMs, failures: last.failures + 1, error: shown }
  if (isRest) return { lastSuccessMs, failures: Math.max(1, last.failures), error: shown }
  // The mailbox was polled: what was wrong with it is over.
  const isOfMailbox = last.error !== null && last.error.code !== 'ERR_DELIVERY'
  return isOfMailbox
    ? { lastSuccessMs, failures: 0, error: null }
    : { lastSuccessMs, failures: last.failures, error: last.error }
}

function reported(error: PopfetchError): AccountHealth['error'] {
  const { code, message, retry } = error
  return { code, message, retry, ...(error instanceof DeliveryError ? { exit: error.exit } : {}) }
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

/** How long the daemon waits with the next poll, at `nowMs`. After a failure of network or server it
 *  is 1 minute, doubling to an hour. After a failure that only a person can mend, never less than usual. */
export function waitMs(health: AccountHealth, intervalMs: number, nowMs: number): number {
  const { failures, refusals, error, pausedUntilMs } = health
  const backOffMs = failures === 0 ? 0 : Math.min(MINUTE_MS * 2 ** Math.min(failures - 1, 10), HOUR_MS)
  const mendsItself = failures > 0 && error?.retry === 'soon'
  // A destination that is away has a pause of its own: other mail does not wait for it.
  const isOfDestination = error?.code === 'ERR_DELIVERY'
  const soonMs = isOfDestination ? Math.min(backOffMs, intervalMs) : backOffMs
  const usualMs = mendsItself ? soonMs : isOfDestination ? intervalMs : Math.max(intervalMs, backOffMs)
  if (!isPaused(health, nowMs)) return usualMs
  const pausedMs = pausedUntilMs + SLACK_MS - nowMs
  // A changed password is tried at once (N010): the poll looks at it, and at nothing else while it is the old one.
  if (refusals > REFUSALS_FORGIVEN) return Math.min(pausedMs, Math.max(intervalMs, MINUTE_MS))
  return Math.max(usualMs, pausedMs)
}

/** Must the account be left alone? A clock that was set back must not leave it alone forever (S030). */
export function isPaused(health: AccountHealth, nowMs: number): boolean {
  return health.pausedUntilMs > nowMs && health.pausedUntilMs - nowMs <= LONGEST_PAUSE_MS
}
