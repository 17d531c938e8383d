// Which deliveries of a message are due: fixed when it is first retrieved, later what the ledger says (DESIGN 4.1). Looks
// at the destination for what became of attempts that a crash cut off (4.3), so that they are not made twice.
import type { Account } from '../config/schema.ts'
import { asPopfetchError } from '../errors.ts'
import type { Delivery } from '../ledger/ledger.ts'
import type { Target } from './destinations.ts'
import { MOST_UNKNOWNS, type PlannedFetch } from './plan.ts'
import type { Run } from './run.ts'
import type { Tally } from './tally.ts'
import { type Due, type Job, newIntent, originOf } from './transfer.ts'

export class Targets {
  readonly #account: Account
  readonly #run: Run
  readonly #tally: Tally
  readonly #byName = new Map<string, Target>()

  constructor(account: Account, run: Run, tally: Tally) {
    this.#account = account
    this.#run = run
    this.#tally = tally
  }

  /** What is to be fetched, with its due deliveries. What turned out to be delivered already is settled and left out.
   *  Asks each destination whether it is there; rejects when all that are needed are down. */
  async prepare(fetches: readonly PlannedFetch[]): Promise<readonly Job[]> {
    const jobs: Job[] = []
    if (fetches.length === 0) return jobs
    for (const name of this.#account.deliver) await this.#target(name)
    for (const { known } of fetches)
      for (const { destination } of known?.deliveries ?? []) await this.#target(destination)
    await this.#ready()
    for (const fetch of fetches) {
      const due = fetch.known === null || fetch.known.state === 'delivered' ? this.#all() : await this.#undone(fetch)
      if (due === null) continue
      if (due.length > 0) jobs.push({ ...fetch, due })
      else this.#tally.delivered++
    }
    return jobs
  }

  async #target(name: string): Promise<Target> {
    let target = this.#byName.get(name)
    if (target === undefined) {
      target = await this.#run.destinations.target(name, this.#account)
      this.#byName.set(name, target)
    }
    return target
  }

  async #ready(): Promise<void> {
    const targets = [...this.#byName.values()]
    await Promise.all(
      targets.map(async (target) => {
        if (target.down !== null) return
        try {
          await target.destination.ready(this.#run.signal)
        } catch (error) {
          target.down = asPopfetchError(error, 'destination')
        }
      }),
    )
    const [first] = targets
    if (first?.down !== null && first?.down !== undefined && targets.every(({ down }) => down !== null))
      throw first.down
    for (const { down, name } of targets) if (down !== null) this.#tally.note(`${name} is down: ${down.message}`)
  }

  /** Every destination and recipient of the configuration. */
  #all(): readonly Due[] {
    return this.#account.deliver.flatMap((name) => {
      const target = this.#byName.get(name)
      const recipients = target?.destination.recipients ?? []
      return target === undefined
        ? []
        : recipients.map((recipient) => ({ target, recipient, intent: newIntent(), attempts: 0, doubtful: false }))
    })
  }

  /** Null: an answer was lost once too often, the message is held now. */
  async #undone(fetch: PlannedFetch): Promise<readonly Due[] | null> {
    const due: Due[] = []
    for (const delivery of fetch.known?.deliveries ?? []) {
      if (delivery.state === 'done') continue
      const target = await this.#target(delivery.destination)
      const { recipient, attempts } = delivery
      let doubtful = delivery.state === 'unknown'
      if (delivery.state === 'started') {
        const found = await this.#recall(fetch, delivery, target)
        if (found === 'delivered') continue
        doubtful = found === 'unknown'
        if (doubtful && delivery.unknowns + 1 >= MOST_UNKNOWNS) {
          await this.#hold(fetch)
          return null
        }
      }
      due.push({ target, recipient, intent: newIntent(), attempts, doubtful })
    }
    return due
  }

  async #recall(
    fetch: PlannedFetch,
    delivery: Delivery,
    target: Target,
  ): Promise<'delivered' | 'not there' | 'unknown'> {
    const { destination, recipient, intent } = delivery
    const key = { uidl: fetch.uidl, copy: fetch.copy }
    if (target.down === null) {
      const attempt = { intent, recipient, origin: originOf(this.#account, fetch) }
      const receipt = await target.destination.recall(attempt, this.#run.signal)
      if (receipt !== null) {
        const outcome = { state: 'done', receipt: receipt.text } as const
        const { received } = receipt
        await this.#run.ledger.settle(this.#account.name, { key, destination, recipient, outcome, received })
        return 'delivered'
      }
    }
    if (target.destination.remembers) return 'not there'
    const outcome = { state: 'unknown', error: 'interrupted before its answer was recorded', retryAfterMs: 0 } as const
    await this.#run.ledger.settle(this.#account.name, { key, destination, recipient, outcome, received: null })
    return 'unknown'
  }

  async #hold(fetch: PlannedFetch): Promise<void> {
    const reason = `the answer to its delivery was lost ${MOST_UNKNOWNS} times; it may be there already`
    const { uidl, copy, sizeBytes } = fetch
    await this.#run.ledger.hold(this.#account.name, [{ key: { uidl, copy }, listedBytes: sizeBytes, reason }])
    this.#tally.held++
    this.#tally.problem({ uidl, kind: 'held', reason })
  }
}
