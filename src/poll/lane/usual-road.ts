// What the lane and the usual road (transfer/) have to do with each other.
import type { PopfetchError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Job } from '../route/due.ts'
import type { Tried } from '../run/handing.ts'

/** The usual road, which takes what is not plain, and keeps the books. */
export interface UsualRoad {
  /** The record of attempts. `fatal`: why it cannot be kept; null: it can. */
  readonly attempts: { fatal: PopfetchError | null; record(change: () => Promise<void>): Promise<void> }
  /** No further message is to be begun. */
  readonly stopped: boolean
  /** Messages came, each exactly as long as announced. */
  cameExact(): void
  /** It was asked for, perhaps together with others, and its answer is due: begins at once to receive it. Called in order; its RETR is
   *  not sent again. */
  receive(job: Job, together: boolean): void
  /** It is delivered, and the ledger says so. */
  delivered(fetch: PlannedFetch): void
  /** It came, and was not offered yet; or it was offered and not taken, and this is why. Resolves when what became of it is recorded.
   *  Never rejects. */
  offer(job: Job, message: Message, tried: Tried | null): Promise<void>
  /** It is delivered, and the ledger could not record that. It stays begun. If the ledger failed or the lease is lost, nothing more is
   *  begun (`attempts.fatal`). */
  notRecorded(job: Job, error: unknown): Promise<void>
}

/** What the lane leaves to the usual road, in order. All others are done with, or were given to `receive`. */
export interface LaneEnd {
  /** Recorded as begun, and not asked for. */
  readonly begun: readonly Job[]
  /** Not begun. */
  readonly rest: readonly PlannedFetch[]
}
