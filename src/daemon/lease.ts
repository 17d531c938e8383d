// One daemon for each ledger; where machines share it, one for each name of a machine. The right to be it is a lease like those of
// accounts, which the kernel or the database frees when the process dies. There is no PID file, which would lie after a crash (N014,
// stale PID file).
import { display } from '../display.ts'
import { PopfetchError } from '../errors.ts'
import { type Lease, waitForLease } from '../ledger/lease.ts'
import type { Ledger, Worker } from '../ledger/ledger.ts'
import { askDaemon } from './control/client.ts'

/** Five seconds: a process that was told to stop, or killed, may need a moment to be gone. */
const WAIT = { tries: 20, everyMs: 250 } as const
/** A machine that lost its power is taken for alive for half a minute. So often the wait is repeated, unless the other one is seen to
 *  be alive meanwhile: it says so every five seconds. */
const ROUNDS = 7

interface Surroundings {
  readonly ledger: Pick<Ledger, 'lease' | 'spans' | 'workers'>
  /** The name of this one. */
  readonly machine: string
  /** Its control socket. */
  readonly socket: string
  /** For tests. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
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
    await taken.#requireSole()
    await taken.#take()
    return taken
  }

  /** Where machines share the ledger, its lease does not tell two daemons apart that share one state folder, and each say another name
   *  of their machine. */
  async #requireSole(): Promise<void> {
    const { ledger, socket, signal } = this.#surroundings
    if (ledger.spans === 'machine') return
    const running = await askDaemon<'status'>(socket, { verb: 'status' }, signal).catch(() => null)
    if (running !== null) throw second(running.pid)
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
    const { ledger, machine, signal, wait } = this.#surroundings
    signal.throwIfAborted()
    const isShared = ledger.spans === 'machines'
    const name = nameOf(isShared ? machine : null)
    const waiting = { ...WAIT, signal, ...(wait === undefined ? {} : { wait }) }
    let before = isShared ? await this.#holder(name) : null
    for (let round = 1; ; round++) {
      const lease = await waitForLease(ledger, name, waiting)
      if (lease !== null) return this.#keep(lease)
      if (!isShared) throw second()
      const after = await this.#holder(name)
      const wasSeenMs = after !== null && after.name === before?.name ? before.lastSeenMs : Infinity
      if (round === ROUNDS || (after?.lastSeenMs ?? 0) > wasSeenMs) throw sameName(machine)
      before = after
    }
  }

  #keep(lease: Lease): void {
    this.#lease = lease
    lease.lost.addEventListener('abort', () => void this.renew(), { once: true })
  }

  async #holder(name: string): Promise<Worker | null> {
    const workers = await this.#surroundings.ledger.workers()
    return workers.find(({ holds }) => holds.includes(name)) ?? null
  }
}

/** No account can be called that. */
function nameOf(machine: string | null): string {
  return machine === null ? '(daemon)' : `(daemon) ${machine}`
}

/** `pid` null: not known. */
export function second(pid: number | null = null): PopfetchError {
  const who = pid === null ? 'a daemon' : `a daemon (pid ${pid})`
  return busy(`${who} already uses this ledger: see popfetch status; popfetch reload applies a changed configuration`)
}

function sameName(machine: string): PopfetchError {
  return busy(
    `a daemon on a machine called ${display(machine, 100)} already uses this ledger: see popfetch status; if this is another machine, set daemon.machine to a name of its own (in a container, to one that stays)`,
  )
}

function busy(text: string): PopfetchError {
  return new PopfetchError('ERR_BUSY', text, { scope: 'process', retry: 'later' })
}
