// What a run may want otherwise than a plain poll: which of the planned messages, how fast, what has to be proven before a
// deletion, when to stop asking. A migration's door into a poll; a poll knows no migration.
// The one rule: terms only take away or delay. Nothing is fetched or deleted that the plan did not have.
import type { Lease } from '../../ledger/ledger.ts'
import type { Session } from '../../pop3/session.ts'
import type { Entry, Plan } from '../plan/plan.ts'

export interface Restrictions {
  /** The account's lease, where the caller holds it for longer than one poll; null: the poll takes and frees it. */
  readonly lease: Lease | null
  /** What `first` skipped is wanted as well. */
  readonly skippedToo: boolean
  /** Aborted: no further message is asked for; what is under way comes to its end, deletions and QUIT follow. */
  readonly stop: AbortSignal
  /** The plan as this run wants it, once the listing was compared. May ask the server for headers. */
  wanted(plan: Plan, session: Session): Promise<Plan>
  /** So many bytes came. A promise: nothing more is read until it resolves. */
  pace(bytes: number): Promise<void> | undefined
  /** Those of these delivered messages that may be deleted, in their order. */
  removable<T extends Entry>(delivered: readonly T[]): Promise<readonly T[]>
}

export const noRestrictions: Restrictions = {
  lease: null,
  skippedToo: false,
  stop: new AbortController().signal,
  wanted: (plan) => Promise.resolve(plan),
  pace: () => undefined,
  removable: (delivered) => Promise.resolve(delivered),
}
