// What is asked for, and what comes of comparing an account with its server and its destinations. Plain data.
import type { Account, Configuration } from '../config/schema.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import type { ReportedError } from '../poll/report.ts'

export interface VerifyRequest {
  readonly configuration: Configuration
  readonly accounts: readonly Account[]
  readonly ledger: Ledger
  /** Messages are read again at their destinations, and their digests compared. */
  readonly digest: boolean
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  /** Aborted: accounts that are not done say so. */
  readonly signal: AbortSignal
  readonly nowMs: () => number
}

/** Names in a list; the counts are whole. */
export const MOST_LISTED = 10_000

/** A message of the ledger that is amiss. */
export interface Amiss {
  /** As the ledger has it: not safe to print. */
  readonly uidl: string
  readonly copy: number
  /** See Heading: not safe to print. */
  readonly from: string | null
  readonly subject: string | null
  /** Where it should be. Safe to print. */
  readonly destination: string
}

export interface Verdict {
  readonly account: string
  /** On the server, delivered, and where a destination can show it, there. */
  readonly agree: number
  /** The same, but gone from the server. */
  readonly gone: number
  /** On the server and not known yet, or known and not delivered yet. */
  readonly waiting: number
  readonly refused: number
  readonly held: number
  /** On the server, skipped by `first` or seen by another program. */
  readonly skipped: number
  /** Delivered, but not at the destination. */
  readonly missing: number
  /** At the destination, and nothing in the ledger stands for it. */
  readonly unknown: number
  /** What is at the destination is not what the server sent. */
  readonly differ: number
  /** Of `agree` and `gone`: those that were found in another folder. */
  readonly moved: number
  /** Their digests were compared. */
  readonly read: number
  /** At most MOST_LISTED of each. */
  readonly lists: {
    readonly missing: readonly Amiss[]
    /** Files, or folders and UIDs. Safe to print. */
    readonly unknown: readonly string[]
    readonly differ: readonly Amiss[]
  }
  /** Destinations that cannot show what they have: their accepted answers count. Safe to print. */
  readonly unshown: readonly string[]
  /** Sentences on what this could not tell. */
  readonly notes: readonly string[]
  /** Why the server or a destination could not be asked; null: all were. */
  readonly error: ReportedError | null
}

/** Is something not as it should be? */
export function isAmiss({ missing, differ }: Pick<Verdict, 'missing' | 'differ'>): boolean {
  return missing + differ > 0
}
