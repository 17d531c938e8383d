// Waits for the right to an account while another popfetch is at work on it: a poll of a daemon that is under way may be
// finished first. Not for ever: another migration takes as long as it takes.
import type { Lease, Ledger } from '../ledger/ledger.ts'
import type { MigrationObserver } from './report.ts'

const TRIES = 30
const PAUSE_MS = 2000

export interface Patience {
  readonly ledger: Ledger
  readonly observer: MigrationObserver
  readonly signal: AbortSignal
  /** Rejects when the signal is given. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

/** Null: the other one does not come to an end, or the signal was given. */
export async function patientLease(account: string, context: Patience): Promise<Lease | null> {
  const { ledger, observer, signal, wait } = context
  for (let tries = 1; ; tries++) {
    const lease = await ledger.lease(account)
    if (lease !== null || tries === TRIES || signal.aborted) return lease
    if (tries === 1) observer.note(account, 'another popfetch is at work on it: waiting for its end')
    observer.pause(account, 'waiting for another popfetch')
    await wait(PAUSE_MS, signal).catch(() => {})
  }
}
