// What a ledger records of an account besides its messages: whose mailbox it is, how its last polls went, facts about its
// server. Part of the contract of ledger.ts; plain data.
import type { Retry } from '../errors.ts'

/** Where a mailbox is, and whose. */
export interface AccountIdentity {
  readonly host: string
  readonly port: number
  readonly user: string
}

/** How the last polls of an account went (DESIGN 5: back-off lives here, for cron and daemon alike). */
export interface AccountHealth {
  readonly lastPollMs: number | null
  readonly lastSuccessMs: number | null
  /** Failed polls in a row. */
  readonly failures: number
  /** Refused sign-ins in a row with the same secret. */
  readonly refusals: number
  /** 16 bits of a salted hash of the secret of the last sign-in; null: none yet. */
  readonly secretMark: number | null
  /** Not before then, unless a person asks; 0: any time. */
  readonly pausedUntilMs: number
  readonly error: {
    readonly code: string
    readonly message: string
    readonly retry: Retry
    /** Instead of the exit code that `code` has. */
    readonly exit?: number
  } | null
}

/** The account's record is being brought in step with server and destinations (DESIGN 4.3), until a look at the whole listing
 *  finds nothing new. */
export interface TakingOver {
  /** `lost`: the ledger knew nothing. `older`: it is an older copy. `new-ids`: the server gave other UIDLs. */
  readonly why: 'lost' | 'older' | 'new-ids'
  readonly sinceMs: number
  /** What was found so far, for people. */
  readonly counts: Readonly<Record<string, number>>
}

/** What came of an account's polls in one day, for people. */
export interface DayCounts {
  readonly delivered: number
  /** Received, as the server sent them. */
  readonly bytes: number
  /** Polls that failed. */
  readonly failures: number
  /** The longest time that a message had waited at the end of a poll. */
  readonly longestWaitMs: number
}

/** This many days are kept of each account, the present one among them. */
export const DAYS_KEPT = 90

/** `state`: the kind of failure as the command line names it, at most 400 characters; the ledger only keeps it. */
export interface Told {
  readonly state: string
  readonly atMs: number
}

/** What spares a poll the comparison of a mailbox in which nothing changed. It is gone as soon as anything is recorded of one of the
 *  account's messages, in the same transaction, or earlier: once somebody has the lease. */
export interface ListingMark {
  /** Of the whole listing, and of all in the configuration that decides what is done with it. */
  readonly digest: Buffer
  /** From then on something is due though the listing is the same; null: nothing ever is. */
  readonly dueMs: number | null
}

/** All that is remembered of an account as a whole. */
export interface AccountRecord extends AccountHealth {
  readonly name: string
  /** As last seen; the caller compares it with the configuration. */
  readonly identity: AccountIdentity
  /** False until the first listing was dealt with (`first`). */
  readonly started: boolean
  /** Messages known, of any state. */
  readonly known: number
  /** The failure that was last told without a terminal, by its kind, and when; null: told of none, or all is well again (N034). */
  readonly told: Told | null
  /** Small facts about the server that save exchanges or avoid a fault: `pipelining: off`, remembered capabilities. */
  readonly facts: Readonly<Record<string, string>>
  /** Null: its record is complete. */
  readonly takingOver: TakingOver | null
  /** As the last poll left it; null: it left none, or what is recorded of messages has changed since. */
  readonly mark: ListingMark | null
}

/** Facts to merge into those of an account; null removes one. */
export type FactChanges = Readonly<Record<string, string | null>>

/** The record of an account of which nothing is known yet. */
export function blankRecord(name: string, identity: AccountIdentity): AccountRecord {
  return {
    name,
    identity,
    started: false,
    known: 0,
    lastPollMs: null,
    lastSuccessMs: null,
    failures: 0,
    refusals: 0,
    secretMark: null,
    pausedUntilMs: 0,
    error: null,
    told: null,
    facts: {},
    takingOver: null,
    mark: null,
  }
}
