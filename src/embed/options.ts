// What an embedding program gives and gets: the options of a poller, its calls, and what it tells. All public; each name's comment is
// its contract.
import type { Configuration } from '../config/schema.ts'
import type { DefinedDestination } from '../deliver/own/definition.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Logger } from '../log.ts'
import type { AccountReport, CheckReport, MessageSettled, Progress } from '../poll/report.ts'
import type { AccountInput, OAuthInput } from './accounts.ts'
import type { DestinationInput } from './destinations.ts'

/** What is polled, and where it goes: written as in the file, or loaded from one. */
export type Wanted = WrittenConfiguration | LoadedConfiguration

/** Accounts and destinations as plain values, with the keys of the configuration file. */
export interface WrittenConfiguration {
  /** By name: letters, digits, `.`, `_` and `-`. The name is in the ledger: keep it, and each account keeps its history. */
  readonly accounts: Readonly<Record<string, AccountInput>>
  /** By name, of popfetch's own kinds or made with `defineDestination`. The name is in the ledger likewise. */
  readonly destinations?: Readonly<Record<string, DestinationInput | DefinedDestination>>
  /** Keys that every account has unless it says otherwise. */
  readonly defaults?: Partial<AccountInput>
  readonly oauth?: Readonly<Record<string, OAuthInput>>
  /** Accounts polled at the same time. Default: 64. */
  readonly concurrency?: number
  /** Of them at one server. Default: 8, and no limit for this machine. */
  readonly perHost?: number
}

/** A configuration from a file. */
export interface LoadedConfiguration {
  /** What `loadConfiguration` gave. Its `notify`, `daemon` and `log` are for the command line, and not used here. */
  readonly configuration: Configuration
}

/** What a poller works with besides accounts and destinations. */
export interface Surroundings {
  /** Where popfetch remembers what it has delivered: the path of a file, made if there is none; the URL of a PostgreSQL database (its
   *  password in `$PGPASSFILE`, or as a loaded configuration says); or a ledger of your own, which stays yours to close. Several
   *  processes may share a file, and machines a database; an account is polled by one of them at a time. */
  readonly ledger: string | Ledger
  /** The folder for what lies beside a ledger: large messages under way, sign-ins. Private to this user. Default: the folder of the
   *  ledger's file, with a database one in the usual state folder; required with a ledger of your own. */
  readonly folder?: string
  /** Takes lines of the log; `console` will do. Default: nobody does. */
  readonly log?: Logger
  /** Where `{ env }`, `HOME` and proxies are looked up. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The folder that relative paths start from. Default: the working directory. */
  readonly base?: string
  /** Aborted: no poll begins any more; those that run end as `PollCall.signal` says. */
  readonly signal?: AbortSignal
}

/** All that `createPoller` needs: what is polled, and what it works with. */
export type PollerOptions = Wanted & Surroundings

/** How one call polls. */
export interface PollCall {
  /** Names of accounts. Default: all. */
  readonly accounts?: readonly string[]
  /** Aborted: no new messages; sessions end without QUIT, so nothing is deleted; messages that are complete are still delivered for
   *  up to 8 seconds, and recorded. The reports then say `failed` with ERR_ABORTED. */
  readonly signal?: AbortSignal
  /** Fetches, delivers and deletes nothing; the reports have a `plan`. */
  readonly dryRun?: boolean
  /** Messages per account at most. */
  readonly limit?: number
  /** Polls accounts and destinations that are left alone after failures, too. Default: false. */
  readonly eager?: boolean
  /** Delivers again what was delivered. A destination of your own that keeps `attempt.key` for good takes that for a repetition. */
  readonly all?: boolean
  /** Go past the guards ERR_UIDS_CHANGED, ERR_DELETE_GUARD and ERR_FIRST_POLL, as the options of the command line do. */
  readonly acceptNewIds?: boolean
  readonly markSeen?: boolean
  readonly yes?: boolean
}

/** How one call checks. */
export interface CheckCall {
  /** Names of accounts. Default: all. */
  readonly accounts?: readonly string[]
  readonly signal?: AbortSignal
  /** After a failure it also looks for the likely cause. */
  readonly thorough?: boolean
}

/** What a poller tells while it works. What a listener is given is frozen. */
export interface PollerEvents {
  /** What became of a message that was received; told once that is durable in the ledger. If the process dies in between, nobody is
   *  told: the ledger is what counts. */
  readonly message: MessageSettled & { readonly account: string }
  /** How far a poll is. Comes often. */
  readonly progress: Progress & { readonly account: string }
  /** A poll has ended, whoever asked for it. */
  readonly report: AccountReport
  /** One sentence about what is being done. Safe to print. */
  readonly note: { readonly account: string; readonly text: string }
}

/** Polls accounts, once or for months. Disposing of it ends what runs, as an aborted signal does, and closes what it opened. */
export interface Poller extends AsyncDisposable {
  /** Polls each account once; reports in the order of the configuration. The result of a poll is in its report: it rejects
   *  only with ERR_USAGE (an unknown account, a poller that was disposed of) and on a bug of ours. */
  poll(call?: PollCall): Promise<readonly AccountReport[]>

  /** Signs in to each account and says what waits there; fetches, marks and deletes nothing. Rejects as `poll` does. */
  check(call?: CheckCall): Promise<readonly CheckReport[]>

  /** Polls each account at its own interval, until the signal is aborted or the poller is disposed of; resolves when the last poll
   *  has ended. `poll` may be called meanwhile. Rejects with ERR_LEDGER when the ledger cannot be used any more, with ERR_USAGE
   *  when it runs already. Back-off, spreading and jitter are those of the daemon; no socket, no signal handler. */
  run(call?: { readonly signal?: AbortSignal }): Promise<void>

  /** Takes over other accounts and destinations, whole or not at all; what is not named stays as it is. Of an account that is left out
   *  a poll that runs is the last; its history stays in the ledger. Polls that run finish under the old configuration. Rejects with
   *  ERR_CONFIG, and with ERR_LEDGER while it runs; then nothing has changed. */
  configure(changes: Partial<WrittenConfiguration> | LoadedConfiguration): Promise<void>

  /** Calls `listener` from now on, at once and in the poll's own time: be quick. What it throws is told to `log` and changes nothing.
   *  Disposing of what it gives ends that. */
  on<Name extends keyof PollerEvents>(event: Name, listener: (told: PollerEvents[Name]) => unknown): Disposable

  /** Names of the accounts, in the order of the configuration. */
  readonly accounts: readonly string[]

  /** What is remembered; see `Ledger`. */
  readonly ledger: Ledger
}
