// Records in the ledger that attempts are begun, before their messages are retrieved, or abandoned. The next batch is
// recorded while this one is on the wire. A ledger that cannot be written ends the transfer.
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import type { Ledger, Lease } from '../../ledger/ledger.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Job } from '../route/due.ts'
import { beginning, isBegun } from './hand-over.ts'
import { isSuspect } from './suspects.ts'

/** Attempts recorded in one commit. */
const BATCH = 50

export class Attempts {
  /** Why no further message is begun: the ledger failed, or the server. */
  fatal: PopfetchError | null = null
  readonly #lease: Lease
  readonly #ledger: Ledger
  readonly #stopped: () => boolean

  constructor(lease: Lease, ledger: Ledger, stopped: () => boolean) {
    this.#lease = lease
    this.#ledger = ledger
    this.#stopped = stopped
  }

  /** Records the attempts of a batch. False: the ledger cannot, or the transfer is stopped; then none of them was begun. */
  async begin(batch: readonly Job[]): Promise<boolean> {
    if (batch.length === 0) return true
    if (this.#stopped()) return false
    try {
      await this.#ledger.begin(
        this.#lease,
        batch.filter(isBegun).map(({ uidl, copy, sizeBytes, due }) => ({
          key: { uidl, copy },
          listedBytes: sizeBytes,
          deliveries: due.map(beginning),
        })),
      )
      return true
    } catch (error) {
      this.fatal ??= asPopfetchError(error)
      return false
    }
  }

  /** Records that they were begun and not tried after all; see Ledger.abandon. */
  async abandon(jobs: readonly Job[], reason: string | null, counts = false): Promise<void> {
    if (jobs.length === 0) return
    const abandoned = jobs.map(({ uidl, copy }) => ({ key: { uidl, copy }, reason, counts }))
    await this.record(() => this.#ledger.abandon(this.#lease, abandoned))
  }

  async record(change: () => Promise<void>): Promise<void> {
    try {
      await change()
    } catch (error) {
      this.fatal ??= asPopfetchError(error)
    }
  }
}

/** A suspect is in a batch of its own (P122, a message that brings us down). */
export function inBatches(fetches: readonly PlannedFetch[]): readonly (readonly PlannedFetch[])[] {
  const batches: PlannedFetch[][] = []
  for (const fetch of fetches) {
    const last = batches.at(-1)
    if (last === undefined || last.length === BATCH || isSuspect(fetch) || isSuspect(last[0])) batches.push([fetch])
    else last.push(fetch)
  }
  return batches
}
