// The options of a migration, its progress, and its report for each account. Plain data: the command line words the report, and
// prints it as JSON.
import type { Account, Configuration } from '../config/schema.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import type { PlannedMessage, Progress, ReportedError } from '../poll/report.ts'

export interface MigrationOptions {
  /** From the server, once verified. */
  readonly delete: boolean
  /** Messages at most, for each account; null: all. */
  readonly limit: number | null
  /** Only those of that time or later; null: all. */
  readonly sinceMs: number | null
  /** All accounts together; null: as fast as it goes. */
  readonly maxBytesPerSecond: number | null
  /** Goes on for so long through failures of line and servers that bring nothing; null: for some minutes. */
  readonly keepTryingMs: number | null
  /** Begins although there is less room than there is mail. */
  readonly yes: boolean
  /** Says what would be moved. */
  readonly dryRun: boolean
}

export interface MigrationRequest {
  readonly configuration: Configuration
  /** Their `deliver` says where to. */
  readonly accounts: readonly Account[]
  readonly ledger: Ledger
  /** The ledger knows nothing but this migration. */
  readonly ownLedger: boolean
  /** How it was asked for, which is remembered until it is finished. */
  readonly memo: string
  readonly options: MigrationOptions
  readonly observer: MigrationObserver
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  /** Aborted: what is under way comes to its end, then it is over; what was moved is remembered. */
  readonly signal: AbortSignal
  readonly nowMs: () => number
  /** Between sessions; rejects when the signal is given. For tests. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** `ok`: everything that was to be moved is there, verified. `partial`: some of it is not. `failed`: it had to end early,
 *  `error` says why. `interrupted`: somebody ended it. `busy`: another popfetch is at work on this account. */
export type MigrationOutcome = 'ok' | 'partial' | 'failed' | 'interrupted' | 'busy'

/** A message that is not there, or not seen to be. */
export interface Unmoved {
  /** As text; see Origin. */
  readonly uidl: string
  readonly messageId: string | null
  /** `unverified`: delivered, and not found again as it was. `left`: not tried. */
  readonly kind: 'unverified' | 'open' | 'refused' | 'held' | 'left'
  readonly reason: string
}

export interface MigrationReport {
  readonly account: string
  /** For people: "maildir /home/ada/Mail". */
  readonly destinations: readonly string[]
  /** Was it read again there, not only accepted? */
  readonly readAgain: boolean
  readonly outcome: MigrationOutcome
  /** How many were to be moved, and how many of them are there, seen to be the same or accepted. */
  readonly messages: number
  readonly verified: number
  /** How many of these were read again there, to the last byte. */
  readonly read: number
  /** Of these, as the server sent them. */
  readonly bytes: number
  /** Fetched by popfetch before this migration; nothing was done with them. */
  readonly earlier: number
  /** Older than `--since`. */
  readonly older: number
  /** Left since `--limit` was reached. */
  readonly beyondLimit: number
  /** Gone from the server before they could be fetched. */
  readonly gone: number
  readonly deleted: number
  readonly possibleDuplicates: number
  /** Sessions, and those of them that ended early. */
  readonly sessions: number
  readonly lostSessions: number
  readonly durationMs: number
  readonly error: ReportedError | null
  /** How many are not there, and the first thousand of them. */
  readonly unmovedCount: number
  readonly unmoved: readonly Unmoved[]
  /** Verified, and still there though they were to be deleted. */
  readonly undeleted: number
  /** With `--dry-run` only. */
  readonly plan: readonly PlannedMessage[]
}

/** Of a migration that did nothing. */
export function emptyReport(account: string): MigrationReport {
  return {
    account,
    destinations: [],
    readAgain: false,
    outcome: 'failed',
    messages: 0,
    verified: 0,
    read: 0,
    bytes: 0,
    earlier: 0,
    older: 0,
    beyondLimit: 0,
    gone: 0,
    deleted: 0,
    possibleDuplicates: 0,
    sessions: 0,
    lostSessions: 0,
    durationMs: 0,
    error: null,
    unmovedCount: 0,
    unmoved: [],
    undeleted: 0,
    plan: [],
  }
}

/** How a migration reports its progress. Called often: implementations are quick and never throw. */
export interface MigrationObserver {
  /** Over all sessions; `errors`: messages that failed and sessions that were lost so far. */
  progress(account: string, progress: Progress, errors: number): void
  /** Something that takes its time and is no transfer: "waiting 4 s". */
  pause(account: string, what: string): void
  /** One sentence about what is being done, for `--verbose` and the log. */
  note(account: string, text: string): void
}
