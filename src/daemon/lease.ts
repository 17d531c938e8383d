// One background process for each ledger: the right to be it is a lease like those of accounts, which the kernel frees at once
// when the process dies. There is no PID file, which would lie after a crash (N014, stale PID file).
import { setTimeout as wait } from 'node:timers/promises'
import { PopfetchError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'

/** No account can be called that. */
const NAME = '(daemon)'
/** A process that was told to stop, or killed, may need a moment to be gone. */
const TRIES = 20
const TRY_EVERY_MS = 250

/** Rejects with ERR_BUSY when another process that is alive has it, for five seconds. */
export async function daemonLease(ledger: Pick<Ledger, 'lease'>, signal: AbortSignal): Promise<AsyncDisposable> {
  for (let tries = 0; tries < TRIES; tries++) {
    signal.throwIfAborted()
    if (tries > 0) await wait(TRY_EVERY_MS, undefined, { signal })
    const lease = await ledger.lease(NAME)
    if (lease !== null) return lease
  }
  throw new PopfetchError(
    'ERR_BUSY',
    'a background process works on this ledger already: see popfetch status; popfetch reload makes it read its configuration again',
    { scope: 'process', retry: 'later' },
  )
}
