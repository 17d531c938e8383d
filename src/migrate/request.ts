// What the command line asks of a migration: plain data.
import type { Account, Configuration } from '../config/schema.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import type { MigrationObserver } from './report.ts'

export interface MigrationOptions {
  /** From the server, once verified. */
  readonly delete: boolean
  /** Messages at most, for each account; null: all. */
  readonly limit: number | null
  /** Only those of that time or later; null: all. */
  readonly sinceMs: number | null
  /** All accounts together; null: as fast as it goes. */
  readonly maxBytesPerSecond: number | null
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
