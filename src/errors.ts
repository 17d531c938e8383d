// Every failure popfetch can name. One base class with a stable `code`; `scope` says how much to abandon and `retry`
// whether trying again can help. Wrapped once, at the boundary that knows the words, with `cause`.
// The text reads: what we tried, what they said, what to do. Foreign text in it has been through display().
import { constants } from 'node:os'

/** How much of the work a failure ends: this message, this account's poll, a destination, or the whole process. */
export type Scope = 'message' | 'account' | 'destination' | 'process'

/** `soon`: at the next poll. `later`: after a longer pause. `never`: only after somebody changed something. */
export type Retry = 'soon' | 'later' | 'never'

export type ErrorCode =
  | 'ERR_USAGE'
  | 'ERR_CONFIG'
  | 'ERR_SECRET'
  | 'ERR_CONNECT'
  | 'ERR_TLS'
  | 'ERR_AUTH'
  | 'ERR_MECHANISM'
  | 'ERR_POP3_REPLY'
  | 'ERR_POP3_PROTOCOL'
  | 'ERR_TIMEOUT'
  | 'ERR_DELIVERY'
  | 'ERR_LEDGER'
  | 'ERR_NO_UIDL'
  | 'ERR_ACCOUNT_RENAMED'
  | 'ERR_UIDS_CHANGED'
  | 'ERR_DELETE_GUARD'
  | 'ERR_FIRST_POLL'
  | 'ERR_BUSY'
  | 'ERR_LEASE_LOST'
  | 'ERR_NO_DAEMON'
  | 'ERR_ABORTED'
  | 'ERR_BUG'

export interface ErrorFacts {
  readonly scope: Scope
  readonly retry: Retry
  /** The other side asked for a pause of at least so long, also from cron (DESIGN 5); absent: it did not. */
  readonly pauseMs?: number
  readonly cause?: unknown
}

export class PopfetchError extends Error {
  override readonly name: string = 'PopfetchError'
  readonly code: ErrorCode
  readonly scope: Scope
  readonly retry: Retry
  readonly pauseMs: number

  constructor(code: ErrorCode, message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.scope = facts.scope
    this.retry = facts.retry
    this.pauseMs = facts.pauseMs ?? 0
  }
}

/** What a destination did with one message for one recipient, when it did not take it.
 *  `temporary`: nothing of it is visible there, try again. `refused`: nothing is visible there, it will not be taken as it is.
 *  `unknown`: it may or may not have been taken (D035). */
export type Verdict = 'temporary' | 'refused' | 'unknown'

export class DeliveryError extends PopfetchError {
  override readonly name: string = 'DeliveryError'
  readonly verdict: Verdict
  /** With `refused`: never to be tried again unless a person says so (a possible loop, D046). */
  readonly hold: boolean

  constructor(
    message: string,
    facts: { verdict: Verdict; scope: 'message' | 'destination'; retry: Retry; hold?: boolean; cause?: unknown },
  ) {
    super('ERR_DELIVERY', message, facts)
    this.verdict = facts.verdict
    this.hold = facts.hold ?? false
  }
}

/** Any thrown thing as a PopfetchError. An unknown error is temporary (doubt keeps the mail) and named a bug of ours. */
export function asPopfetchError(thrown: unknown, scope: Scope = 'account'): PopfetchError {
  if (thrown instanceof PopfetchError) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return new PopfetchError('ERR_BUG', `unexpected error: ${text}: please report this`, {
    scope,
    retry: 'soon',
    cause: thrown,
  })
}

/** The errno name of a system error (`ENOSPC`), or null. */
export function errnoOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !('code' in thrown) || typeof thrown.code !== 'string') return null
  // libuv has no name for some numbers, EDQUOT and ESTALE among them (Node 24).
  const number = /^Unknown system error -(\d+)$/.exec(thrown.code)?.[1]
  if (number === undefined) return thrown.code
  return Object.entries(constants.errno).find(([, value]) => value === Number(number))?.[0] ?? thrown.code
}
