// The right to poll one account (DESIGN 4.5). At any time at most one of the processes that share the ledger has it. Part of
// the contract of ledger.ts: every change of an account shows the lease that allows it.
import { setTimeout as delay } from 'node:timers/promises'
import { PopfetchError } from '../errors.ts'
import type { AccountRecord } from './account.ts'
import type { Pause } from './pause.ts'

/** Owned by whoever took it, and given back by disposing of it, as often as one likes. A process that dies gives back all it
 *  had. A change under a lease that was given back or lost rejects with ERR_LEASE_LOST, and changes nothing. */
export interface Lease extends AsyncDisposable {
  readonly account: string
  /** Tells this taking of the right from all others of the same account: what fences off whoever lost it. */
  readonly token: number
  /** What was recorded of the account when the right was taken; null: nothing, it is not known. */
  readonly record: AccountRecord | null
  /** What a person wanted left alone when the right was taken, of this account and of destinations; absent: Pauses tells. */
  readonly paused?: readonly Pause[]
  /** Aborted, with ERR_LEASE_LOST as its reason, when somebody else may have the right now though it was not given back. A
   *  ledger that is closed loses the leases it gave. */
  readonly lost: AbortSignal

  /** Throws ERR_LEASE_LOST when the right was lost or given back. Looks at a clock that counts sleep where that matters, so
   *  it is certain where `lost` may come late: ask before what cannot be undone. */
  requireHeld(): void
}

export function leaseLost(account: string): PopfetchError {
  const message = `working on ${account}: its lease was lost, and another popfetch may be polling it: nothing more is recorded or deleted; the next poll continues`
  return new PopfetchError('ERR_LEASE_LOST', message, { scope: 'account', retry: 'soon' })
}

export interface LeaseWait {
  readonly tries: number
  readonly everyMs: number
  readonly signal: AbortSignal
  /** Waits between two tries; rejects when the signal is given. For tests. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
  /** Called before each wait, with the number of tries so far. */
  readonly waiting?: (tries: number) => void
}

/** Asks for a lease again and again while another process has it. Null: that one still has it after the last try. Rejects with the
 *  signal's reason, with ERR_LEDGER. */
export async function waitForLease(
  ledger: { lease(name: string): Promise<Lease | null> },
  name: string,
  { tries, everyMs, signal, wait = pause, waiting }: LeaseWait,
): Promise<Lease | null> {
  for (let count = 1; ; count++) {
    const lease = await ledger.lease(name)
    if (lease !== null || count >= tries) return lease
    signal.throwIfAborted()
    waiting?.(count)
    await wait(everyMs, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      throw error
    })
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal })
}
