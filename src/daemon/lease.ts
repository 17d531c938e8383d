// One daemon for each ledger. The right to be it is a lease like those of accounts, which the kernel frees at once
// when the process dies. There is no PID file, which would lie after a crash (N014, stale PID file).
import { PopfetchError } from '../errors.ts'
import { type Lease, waitForLease } from '../ledger/lease.ts'
import type { Ledger } from '../ledger/ledger.ts'

/** No account can be called that. */
const NAME = '(daemon)'
/** Five seconds: a process that was told to stop, or killed, may need a moment to be gone. */
const WAIT = { tries: 20, everyMs: 250 } as const

interface Surroundings {
  readonly ledger: Pick<Ledger, 'lease'>
  readonly signal: AbortSignal
  /** Another daemon has the right now. */
  readonly ended: (error: PopfetchError) => void
}

/** The right, until it is disposed of. A ledger that was deleted or replaced, and is there again, knows nothing of it (S043): it
 *  is taken again then. */
export class DaemonLease implements AsyncDisposable {
  readonly #surroundings: Surroundings
  #lease: Lease | null = null
  #renewal: Promise<void> = Promise.resolve()
  #disposed = false

  private constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /** Rejects with ERR_BUSY when another process that is alive has it, for five seconds; with the signal's reason. */
  static async take(surroundings: Surroundings): Promise<DaemonLease> {
    const taken = new DaemonLease(surroundings)
    await taken.#take()
    return taken
  }

  /** Takes it again where it was lost. Never rejects: a ledger that is not there yet is asked again at the next call. */
  renew(): Promise<void> {
    this.#renewal = this.#renewal.then(async () => {
      if (this.#disposed || this.#lease?.lost.aborted === false) return
      await this.#take().catch((error: unknown) => {
        if (error instanceof PopfetchError && error.code === 'ERR_BUSY') this.#surroundings.ended(error)
      })
    })
    return this.#renewal
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#renewal
    await this.#lease?.[Symbol.asyncDispose]()
  }

  async #take(): Promise<void> {
    const { ledger, signal } = this.#surroundings
    signal.throwIfAborted()
    const lease = await waitForLease(ledger, NAME, { ...WAIT, signal })
    if (lease === null) {
      throw new PopfetchError(
        'ERR_BUSY',
        'a daemon already uses this ledger: see popfetch status; popfetch reload applies a changed configuration',
        { scope: 'process', retry: 'later' },
      )
    }
    this.#lease = lease
    lease.lost.addEventListener('abort', () => void this.renew(), { once: true })
  }
}
