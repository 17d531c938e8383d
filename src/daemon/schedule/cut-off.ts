// Deliveries of this machine that were cut off, by a crash, a sleep or a line to the database that broke. Where its folders are its own
// (`shared: false`), all machines wait for this one to look for them (DESIGN 4.6), so it does not wait until it happens to be the one
// that polls the account.
import type { Ledger } from '../../ledger/ledger.ts'
import type { Clock } from './clock.ts'

/** An account is polled for that no more often: what hinders it may last. */
const AGAIN_MS = 3_600_000

interface OfTheLedger {
  readonly records: Pick<Ledger['records'], 'cutOff'>
}

interface OfTheScheduler {
  findCutOff(names: readonly string[]): void
}

export class CutOff {
  readonly #ledger: OfTheLedger
  readonly #scheduler: OfTheScheduler
  readonly #clock: Pick<Clock, 'elapsedMs'>
  /** By account: when it was asked for last. */
  readonly #askedMs = new Map<string, number>()

  constructor(ledger: OfTheLedger, scheduler: OfTheScheduler, clock: Pick<Clock, 'elapsedMs'>) {
    this.#ledger = ledger
    this.#scheduler = scheduler
    this.#clock = clock
  }

  /** Looks at once, and whenever what it gives is called. */
  static begin(...of: ConstructorParameters<typeof CutOff>): () => void {
    const cutOff = new CutOff(...of)
    const look = (): void => void cutOff.look()
    look()
    return look
  }

  /** Never rejects: a ledger that is away now is asked at the next look. */
  async look(): Promise<void> {
    const nowMs = this.#clock.elapsedMs()
    const found = await this.#ledger.records.cutOff().catch(() => null)
    if (found === null) return
    for (const account of this.#askedMs.keys()) if (!found.includes(account)) this.#askedMs.delete(account)
    const wanted = found.filter((account) => nowMs - (this.#askedMs.get(account) ?? -Infinity) >= AGAIN_MS)
    for (const account of wanted) this.#askedMs.set(account, nowMs)
    if (wanted.length > 0) this.#scheduler.findCutOff(wanted)
  }
}
