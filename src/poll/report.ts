// What became of a poll: counts and outcomes as DESIGN 2 names them. Plain data; the command line prints it.
import { DeliveryError, onceText, type PopfetchError, type Retry } from '../errors.ts'

/** `partial`: some messages were deferred, refused or held now. `paused`: back-off, not tried. `busy`: another popfetch
 *  is at work on this account, not a failure. */
export type PollOutcome = (typeof OUTCOMES)[number]

export const OUTCOMES = ['ok', 'partial', 'failed', 'paused', 'busy'] as const

/** A failure as it is told: its code, its text, and whether trying again can help. Safe to print. */
export interface ReportedError {
  readonly code: string
  readonly message: string
  readonly retry: Retry
  /** Instead of the exit code that `code` has; for our own use, not told. */
  readonly exit?: number
  /** The ledger cannot be used, by any account; for our own use, not told. */
  readonly ofLedger?: true
}

/** A message that was deferred, or became refused or held, in this run. Its texts are safe to print. */
export interface MessageProblem {
  readonly uidl: string
  readonly copy?: number
  /** Null: not known, or it has none. */
  readonly from?: string | null
  readonly subject?: string | null
  /** Which destination did not take it, and for which recipient ('': it has none). Absent: no destination is involved. */
  readonly destination?: string
  readonly recipient?: string
  /** In the words of deliver/answers/conclusions.ts; absent: there was no answer. */
  readonly conclusion?: string
  /** True: it was so before, and was told when it began. */
  readonly again?: boolean
  readonly kind: 'deferred' | 'refused' | 'held' | 'possibleDuplicate' | 'short' | 'undeletable'
  readonly reason: string
}

/** One line of `--dry-run`. `fetch` and `delete` are what a poll would do now; the others are left alone, and why. */
export interface PlannedMessage {
  readonly uidl: string
  readonly sizeBytes: number | null
  readonly action: 'fetch' | 'delete' | 'skip' | 'hold' | 'wait'
  readonly destinations: readonly string[]
}

/** A destination, or one of its recipients, that kept mail back in this poll. */
export interface DestinationTrouble {
  readonly destination: string
  /** '': the destination as a whole. */
  readonly recipient: string
  readonly error: ReportedError
}

/** What became of one poll of one account. Counts are of messages. */
export interface AccountReport {
  readonly account: string
  readonly outcome: PollOutcome
  /** Messages in the server's listing. */
  readonly listed: number
  /** Of those, never seen before. */
  readonly new: number
  readonly delivered: number
  /** The destinations that took a message in this poll; absent: nobody counted them. */
  readonly deliveredTo?: readonly string[]
  readonly deferred: number
  readonly refused: number
  readonly held: number
  readonly possibleDuplicates: number
  readonly deleted: number
  /** Deletions that were wanted by now and have not happened, in this poll or before. */
  readonly undeleted: number
  /** Already delivered earlier, or skipped by `first`. */
  readonly skipped: number
  /** Received, as the server sent them. */
  readonly bytes: number
  readonly durationMs: number
  readonly error: ReportedError | null
  /** A person paused the account, or the destinations of all that was due: when, and the command that ends it. Safe to print. */
  readonly pausedBy?: string
  /** Every destination that kept mail back; `error` is the most serious one, where none ended the poll. */
  readonly troubles: readonly DestinationTrouble[]
  /** Of `deferred`, those that no destination kept back: they wait for their own sake. */
  readonly deferredThemselves: number
  /** Of `deferred`, those that wait until a destination's rate lets more through. */
  readonly deferredByRates: number
  /** At most 100 are kept; the counts above count all. */
  readonly problems: readonly MessageProblem[]
  /** With `--dry-run` only: at most 1,000 of what differs. */
  readonly plan: readonly PlannedMessage[]
}

/** One thing learnt of a server. Safe to print. */
export interface Finding {
  readonly name: string
  readonly value: string
}

/** What is probably behind a failure or will be behind the next one, and what to do about it. Safe to print. */
export interface Advice {
  readonly cause: string
  readonly next: string
}

/** What a check of one account has found. */
export interface CheckReport {
  readonly account: string
  readonly outcome: 'ok' | 'failed' | 'busy'
  /** Messages in the listing, and those of them that a poll would fetch. */
  readonly waiting: number
  readonly new: number
  readonly waitingBytes: number
  readonly durationMs: number
  readonly error: ReportedError | null
  /** What `check --verbose` tells of the server: greeting, TLS, capabilities …, in the order they were learnt. */
  readonly findings: readonly Finding[]
  /** What it advises, the likeliest first; also where all is well. */
  readonly advice: readonly Advice[]
}

/** How far a poll is: counts of messages, and bytes as the server sent them. */
export interface Progress {
  /** `done`: the poll is over, however it went. */
  readonly stage: 'connecting' | 'listing' | 'fetching' | 'finishing' | 'done'
  readonly messages: number
  readonly totalMessages: number
  readonly bytes: number
  /** Announced by the server; a hint (P101). */
  readonly totalBytes: number
}

/** What became of a message that was received and offered to its destinations. Its texts are safe to print. */
export interface MessageSettled {
  readonly uidl: string
  /** 0 for the first message with this UIDL in the mailbox, 1 for the second … */
  readonly copy: number
  readonly sizeBytes: number
  readonly messageId: string | null
  readonly from: string | null
  readonly subject: string | null
  /** `delivered`: all its destinations have it. `deferred`: one does not, for the time being. `refused`: for good, as it is. `held`: it
   *  is not tried again unless a person says so. */
  readonly outcome: 'delivered' | 'deferred' | 'refused' | 'held'
  /** One for each destination and recipient that was tried now. */
  readonly deliveries: readonly {
    readonly destination: string
    /** '': the destination has none. */
    readonly recipient: string
    /** `unknown`: it may have arrived. */
    readonly state: 'delivered' | 'deferred' | 'refused' | 'unknown'
    /** What the destination said when it took the message. */
    readonly receipt: string | null
    readonly error: string | null
    /** An earlier attempt may have arrived already: it may be there twice. */
    readonly possibleDuplicate: boolean
  }[]
}

/** How a poll reports its progress. Called often: implementations are quick and never throw. */
export interface Observer {
  progress(account: string, progress: Progress): void
  /** One sentence about what is being done, for `--verbose` and the log. Foreign text in it is already safe. */
  note(account: string, text: string): void
  /** Called once what became of a message is durable in the ledger. Absent: nobody listens. */
  settled?(account: string, message: MessageSettled): void
}

/** How a person or cron wants this run to go. */
export interface PollOptions {
  readonly dryRun: boolean
  /** At most this many messages per account; null: no limit of the run's own. */
  readonly limit: number | null
  /** Deliver again what was delivered (new intents). */
  readonly all: boolean
  /** Goes past ERR_UIDS_CHANGED: what the ledger knows is matched by its header. */
  readonly acceptNewIds: boolean
  /** What is listed and not known counts as seen: it is neither fetched nor deleted, now or later. */
  readonly markSeen: boolean
  /** Goes past ERR_DELETE_GUARD and ERR_FIRST_POLL once, and delivers what `acceptNewIds` cannot match. */
  readonly yes: boolean
  /** A person asked for it (named the account, sits at a terminal): back-off is not obeyed. */
  readonly eager: boolean
}

/** As people and programs are told of it (DESIGN 2). */
export function toldError(error: ReportedError | null): Omit<ReportedError, 'exit' | 'ofLedger'> | null {
  return error === null ? null : { code: error.code, message: error.message, retry: error.retry }
}

/** The same of what nothing tries again by itself. */
export function reportOnce(error: PopfetchError): ReportedError {
  const report = reportError(error)
  return { ...report, message: onceText(report.message) }
}

export function reportError(error: PopfetchError): ReportedError {
  const { code, message, retry, scope } = error
  return {
    code,
    message,
    retry,
    ...(error instanceof DeliveryError ? { exit: error.exit } : {}),
    ...(code === 'ERR_LEDGER' && scope === 'process' ? { ofLedger: true } : {}),
  }
}
