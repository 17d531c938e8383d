// What the accounts of one run share. The poller makes it and hands it down; nobody changes it.
import type { Account, Configuration } from '../../config/schema.ts'
import type { AccountHealth, Ledger } from '../../ledger/ledger.ts'
import type { Log } from '../../log.ts'
import type { Migrated } from '../plan/migrated.ts'
import type { ChangedDeletes } from '../plan/changed-deletes.ts'
import type { Departed } from '../plan/renamed-account.ts'
import type { Destinations } from './destinations.ts'
import type { Doors } from '../rests/doors.ts'
import type { Paces } from '../rests/paces.ts'
import type { AccountReport, Observer, PollOptions } from '../report.ts'
import type { Restrictions } from './restrictions.ts'
import type { MemoryBudget } from './window.ts'

/** What a command asks for. */
export interface RunRequest {
  readonly configuration: Configuration
  readonly accounts: readonly Account[]
  readonly ledger: Ledger
  readonly options: PollOptions
  readonly observer: Observer
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  /** Aborted: no new messages, sessions end without QUIT; complete messages are still delivered and recorded. */
  readonly signal: AbortSignal
  /** For tests: instead of SESSION_LIMIT and SESSION_GAP_SECONDS. */
  readonly sessionLimit?: number
  readonly sessionGapSeconds?: number
}

export interface Run extends RunRequest {
  readonly destinations: Destinations
  /** Which of them are left alone. */
  readonly doors: Doors
  /** How many messages may still go to those that have a `rate`. */
  readonly paces: Paces
  readonly departed: Departed
  readonly migrated: Migrated
  readonly changedDeletes: ChangedDeletes
  readonly budget: MemoryBudget
  /** For very long lists, over all accounts of the process (P165). */
  readonly listings: MemoryBudget
  /** The accounts whose destinations this process has looked through for messages that the ledger lacks. */
  readonly looked: Set<string>
  /** Ends deliveries that are under way. Aborted some time after `signal`. */
  readonly deliverySignal: AbortSignal
  readonly nowMs: () => number
  /** How many messages one session fetches at most. */
  readonly sessionLimit: number
  /** The server may need a moment between two sessions to let go of the mailbox (P137). */
  readonly sessionGapSeconds: number
  readonly restrictions: Restrictions
  /** Called as the end of the poll is being recorded: what is asked of the ledger now shares that commit. `recorded` settles with it. Null:
   *  nobody asks for anything. */
  readonly closes: ((report: AccountReport, health: AccountHealth, recorded: Promise<void>) => void) | null
}

/** So many that the cost of another sign-in does not count. Bounds what a cut connection undoes, and the memory of a
 *  plan. */
export const SESSION_LIMIT = 20_000

export const SESSION_GAP_SECONDS = 2
