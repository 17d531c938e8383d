// How the processes that share a ledger share the work (DESIGN 4.6): nobody leads. Each plans all accounts, and claims one when it is
// due; the ledger lets one have it, and keeps what all of them together may use of a server. Part of the contract of ledger.ts.
import type { Lease } from './lease.ts'

/** Something of which a poll takes one share, over all processes: a mailbox, the connections to a server. */
export interface Use {
  /** Of any text. */
  readonly key: string
  /** So many shares there are, 1 at least. */
  readonly most: number
}

/** What is asked for with the right to poll an account. */
export interface Claim {
  /** A share of each is taken with the lease and given back with it. All of them, or there is no lease. */
  readonly uses: readonly Use[]
  /** Null: whether the account is due or not. Else only where it is due, or was never scheduled, or is to be due later than this from now:
   *  no scheduler meant that, so somebody has set the clock (S030). */
  readonly dueWithinMs: number | null
}

/** `held`: somebody who is alive has the account. `crowded`: others have all shares of something. `early`: it is due that long from now. */
export type Claimed =
  | {
      readonly lease: Lease
      /** A wake came, and this is the poll that answers it. */
      readonly woken: boolean
    }
  | { readonly lease: null; readonly why: 'held' | 'crowded' }
  | { readonly lease: null; readonly why: 'early'; readonly dueInMs: number }

/** How a process presents itself. */
export interface WorkerCard {
  readonly machine: string
  /** Of its program. */
  readonly version: string
}

/** A process at work on the ledger. */
export interface Worker extends WorkerCard {
  /** Tells it from all others. */
  readonly name: string
  /** When it joined, by the ledger's clock; null: it only has leases. */
  readonly sinceMs: number | null
  /** When it was certainly alive. */
  readonly lastSeenMs: number
  /** The accounts that it has leases of, in order. */
  readonly holds: readonly string[]
}
