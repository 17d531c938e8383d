// One background process for each ledger: the right to be it is a lease like those of accounts, which the kernel frees at once
// when the process dies. There is no PID file, which would lie after a crash (N014, stale PID file).
import { PopfetchError } from '../errors.ts'
import { waitForLease } from '../ledger/lease.ts'
import type { Ledger } from '../ledger/ledger.ts'

/** No account can be called that. */
const NAME = '(daemon)'
/** Five seconds: a process that was told to stop, or killed, may need a moment to be gone. */
const WAIT = { tries: 20, everyMs: 250 } as const

/** Rejects with ERR_BUSY when another process that is alive has it, for five seconds; with the signal's reason. */
export async function daemonLease(ledger: Pick<Ledger, 'lease'>, signal: AbortSignal): Promise<AsyncDisposable> {
  signal.throwIfAborted()
  const lease = await waitForLease(ledger, NAME, { ...WAIT, signal })
  if (lease !== null) return lease
  throw new PopfetchError(
    'ERR_BUSY',
    'a background process works on this ledger already: see popfetch status; popfetch reload makes it read its configuration again',
    { scope: 'process', retry: 'later' },
  )
}
