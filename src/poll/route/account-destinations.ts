// The destinations that one account uses in one session. Each is opened at its first use and asked once whether it can take
// mail; the answer is for all who use it. A destination that is down costs only itself (P4).
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import type { Target } from '../run/destinations.ts'
import type { Run } from '../run/run.ts'
import type { Tally } from '../tally.ts'
import { possibleNames } from './route.ts'

export class AccountDestinations {
  readonly #account: Account
  readonly #run: Run
  readonly #tally: Tally
  readonly #opened = new Map<string, Target>()
  readonly #asked = new Map<Target, Promise<void>>()

  constructor({ account, run, tally }: { readonly account: Account; readonly run: Run; readonly tally: Tally }) {
    this.#account = account
    this.#run = run
    this.#tally = tally
  }

  /** Opens the destination called `name`, or gives it as it was opened before. */
  async open(name: string): Promise<Target> {
    const opened = this.#opened.get(name) ?? (await this.#run.destinations.target(name, this.#account))
    // Another caller may have opened it meanwhile: what is found out about a destination is for all its users.
    const target = this.#opened.get(name) ?? opened
    this.#opened.set(name, target)
    return target
  }

  /** The destination called `name`, if it was opened. */
  opened(name: string): Target | undefined {
    return this.#opened.get(name)
  }

  /** All that the account's configuration names, each asked whether it can take mail. Rejects when all are down. */
  async configured(): Promise<readonly Target[]> {
    const targets = await Promise.all(possibleNames(this.#account).map((name) => this.open(name)))
    await this.ready()
    return targets
  }

  /** Asks those that were opened whether they can take mail. Rejects when all are down. */
  async ready(): Promise<void> {
    await this.ask()
    if (this.allDown !== null) throw this.allDown
    for (const { down, name } of this.#opened.values())
      if (down !== null) this.#tally.note(`${name} is down: ${down.message}`)
  }

  /** Asks those that were opened, each once in a session; a second caller waits for the same answer. */
  async ask(): Promise<void> {
    await Promise.all(
      [...this.#opened.values()].map(async (target) => {
        let answer = this.#asked.get(target)
        if (answer === undefined) {
          answer = this.#askOne(target)
          this.#asked.set(target, answer)
        }
        await answer
      }),
    )
  }

  async #askOne(target: Target): Promise<void> {
    if (target.down !== null) return
    try {
      await target.destination.ready(this.#run.signal)
    } catch (error) {
      // It is the poll that ends, not the destination that is down.
      if (this.#run.signal.aborted) throw asPopfetchError(this.#run.signal.reason)
      target.down = asPopfetchError(error, 'destination')
    }
  }

  /** Why nothing can be delivered at all; null: some destination takes mail, or none was opened. */
  get allDown(): PopfetchError | null {
    const downs = [...this.#opened.values()].map(({ down }) => down)
    return downs.every((down) => down !== null) ? (downs[0] ?? null) : null
  }
}
