// Every failure popfetch can name. One base class with a stable `code`; `scope` says how much to abandon and `retry`
// whether trying again can help. Wrapped once, at the boundary that knows the words, with `cause`.
// The text reads: what we tried, what they said, what to do. Foreign text in it has been through display(). What was not has
// its secrets masked here, so that no error carries one to the ledger, the log or a person.
import { constants } from 'node:os'
import { display } from './display.ts'
import { redact } from './redact.ts'

/** How much of the work a failure ends: this message (for this sender, this recipient), this account's poll, a destination, or
 *  the whole process. */
export type Scope = 'message' | 'sender' | 'recipient' | 'account' | 'destination' | 'process'

/** `soon`: at the next poll. `later`: after a longer pause. `never`: only after somebody changed something. */
export type Retry = 'soon' | 'later' | 'never'

/** What failed, for programs: stable names. `ERR_BUG` is a fault of popfetch, which passes by itself as far as anybody knows. */
export type ErrorCode =
  | 'ERR_USAGE'
  | 'ERR_CONFIG'
  | 'ERR_SECRET'
  | 'ERR_CONNECT'
  | 'ERR_TLS'
  | 'ERR_AUTH'
  | 'ERR_MECHANISM'
  | 'ERR_PROVIDER'
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
  | 'ERR_NO_SPACE'
  | 'ERR_BUSY'
  | 'ERR_PAUSED'
  | 'ERR_ACCOUNTS'
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

/** Every failure that popfetch names: what was tried, what came back, what to do. No secret is in its text, which is safe to print. */
export class PopfetchError extends Error {
  override readonly name: string = 'PopfetchError'
  readonly code: ErrorCode
  readonly scope: Scope
  readonly retry: Retry
  readonly pauseMs: number

  constructor(code: ErrorCode, message: string, facts: ErrorFacts) {
    super(redact(message), facts.cause === undefined ? undefined : { cause: facts.cause })
    this.code = code
    this.scope = facts.scope
    this.retry = facts.retry
    this.pauseMs = facts.pauseMs ?? 0
  }
}

/** What became of one message for one recipient at a destination that did not take it.
 *  `temporary`: nothing of it is visible there, try again. `refused`: nothing is visible there, it will not be taken as it is.
 *  `unknown`: it may or may not have been taken (D035). `held`: it is not to be tried again unless a person says so (D046). */
export type Verdict = 'temporary' | 'refused' | 'unknown' | 'held'

/** What a destination's answer means. deliver/answers/ says which answer leads to which conclusion, and what follows. */
export type Conclusion =
  /** It cannot be reached. */
  | 'DOWN'
  /** TLS, or the protocol, is not as it must be. */
  | 'TLS'
  /** It does not let us sign in. */
  | 'SIGN'
  /** It says "not now", for everybody. */
  | 'BUSY'
  /** This recipient gets nothing now. */
  | 'RCPT'
  /** No room, unless a smaller message is taken. */
  | 'ROOM'
  /** Somebody must do something about it: a file, a folder, a label, a program. */
  | 'ACT'
  /** Not from this sender. */
  | 'SENDER'
  /** This message not now. */
  | 'TEMP'
  /** This message never, for its content or its author. */
  | 'BAD'
  /** This message never, for its form or size; that says nothing about the destination. */
  | 'FORM'
  /** The connection ended before the message was complete there. */
  | 'CUT'
  /** The answer to a complete message was lost. */
  | 'LOST'
  /** We do not hand it over: it may be going in a circle (D046, D115). */
  | 'HELD'

/** What an answer says, in the words of deliver/answers/. */
export interface AnswerFacts {
  readonly conclusion: Conclusion
  readonly verdict: Verdict
  readonly scope: 'message' | 'sender' | 'recipient' | 'destination'
  /** Two answers with the same key are equal "in a row": code and enhanced code, else the words but for addresses and digits. */
  readonly same: string
  /** The pause that the answer names; 0: none. */
  readonly pauseMs: number
  /** Does it count in a row? Greylisting, an author's missing authentication and faults of form do not. */
  readonly counts: boolean
  /** It speaks of us, not of the message, although it refuses a message (X.7.60, 5.2.252, 5.7.7xx): three in a row are enough. */
  readonly aboutUs: boolean
  /** Refused as spam or for a virus: tried once more after a day, then held. */
  readonly spam: boolean
  /** It speaks of the folder or the labels there, not of the server: mail for another folder of it goes on. */
  readonly ofFolder: boolean
  /** The exit code of a poll that ends with it (DESIGN 2). */
  readonly exit: 73 | 75 | 76 | 77 | 78
}

/** A destination did not take a message, or cannot take any. One of your own throws what `undelivered` makes. */
export class DeliveryError extends PopfetchError {
  override readonly name: string = 'DeliveryError'
  readonly conclusion: Conclusion
  readonly verdict: Verdict
  /** `step`: where it was given, as the kind calls it; `same`: see `AnswerFacts`. */
  readonly answer: { readonly step: string; readonly same: string }
  readonly counts: boolean
  readonly aboutUs: boolean
  readonly spam: boolean
  readonly ofFolder: boolean
  readonly exit: AnswerFacts['exit']

  /** Without `retry`: what ends with exit code 75 passes by itself. */
  constructor(message: string, facts: AnswerFacts & { step?: string; retry?: Retry; cause?: unknown }) {
    const passes = facts.exit === 75 && facts.verdict !== 'refused'
    const retry = facts.retry ?? (facts.verdict === 'held' ? 'never' : passes ? 'soon' : 'later')
    super('ERR_DELIVERY', message, { scope: facts.scope, retry, pauseMs: facts.pauseMs, cause: facts.cause })
    this.conclusion = facts.conclusion
    this.verdict = facts.verdict
    this.answer = { step: facts.step ?? '', same: facts.same }
    this.counts = facts.counts
    this.aboutUs = facts.aboutUs
    this.spam = facts.spam
    this.ofFolder = facts.ofFolder
    this.exit = facts.exit
  }
}

/** The exit code that a destination's failure has by itself; a plain error's comes from its code. */
export function exitOf(error: PopfetchError): number {
  return error instanceof DeliveryError ? error.exit : 75
}

/** What an error says of an answer, to be told again with other words. */
export function factsOf(error: DeliveryError): AnswerFacts & { readonly step: string; readonly retry: Retry } {
  const { conclusion, verdict, answer, pauseMs, counts, aboutUs, spam, ofFolder, exit, retry } = error
  const scope = error.scope === 'account' || error.scope === 'process' ? 'destination' : error.scope
  return { conclusion, verdict, scope, ...answer, pauseMs, counts, aboutUs, spam, ofFolder, exit, retry }
}

/** Any thrown thing as a PopfetchError. An unknown error is temporary (doubt keeps the mail) and named a bug of ours. */
export function asPopfetchError(thrown: unknown, scope: Scope = 'account'): PopfetchError {
  if (thrown instanceof PopfetchError) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  // Only a part of the program itself is loaded by name while it runs (N040, replaced program).
  if (errnoOf(thrown) === 'ERR_MODULE_NOT_FOUND') {
    const replaced =
      'popfetch was updated or removed while this run was at work: the next run uses what is installed now'
    return new PopfetchError('ERR_ABORTED', replaced, { scope: 'process', retry: 'soon', cause: thrown })
  }
  return new PopfetchError('ERR_BUG', `unexpected error: ${display(text, 1000)}: please report this`, {
    scope,
    retry: 'soon',
    cause: thrown,
  })
}

/** The text of an error where nothing tries again by itself: `check`, a trial, a migration that has ended. Polls do. */
export function onceText(message: string): string {
  return message
    .replace(/, it will be tried again$/, ', and try again')
    .replace(/: (?:it will be tried again|trying again later|tried again)$/, ': try again later')
}

/** The errno name of a system error (`ENOSPC`), or null. */
export function errnoOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !('code' in thrown) || typeof thrown.code !== 'string') return null
  // libuv has no name for some numbers, EDQUOT and ESTALE among them (Node 24).
  const number = /^Unknown system error -(\d+)$/.exec(thrown.code)?.[1]
  if (number === undefined) return thrown.code
  return Object.entries(constants.errno).find(([, value]) => value === Number(number))?.[0] ?? thrown.code
}
