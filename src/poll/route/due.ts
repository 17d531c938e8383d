// Which deliveries of a message are due: fixed when it is first retrieved, later what the ledger says (DESIGN 4.1). Looks
// at the destination for what became of attempts that a crash cut off (4.3), so that they are not made twice.
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, type PopfetchError } from '../../errors.ts'
import type { Delivery, EntryKey } from '../../ledger/ledger.ts'
import type { Target } from '../run/destinations.ts'
import { MOST_UNKNOWNS, type PlannedFetch } from '../plan/plan.ts'
import { possibleNames, router } from './route.ts'
import type { Run } from '../run/run.ts'
import type { Tally } from '../tally.ts'
import { type Choice, type Due, type Job, newIntent, originOf } from '../transfer/hand-over.ts'

/** What is to be fetched. Jobs are made when their turn comes: thousands of them at once are work for V8 alone. */
export interface Jobs {
  readonly fetches: readonly PlannedFetch[]
  /** Of one of them, once. */
  readonly job: (fetch: PlannedFetch) => Job
}

const noJobs: Jobs = { fetches: [], job: (fetch) => ({ ...fetch, due: [], choice: null }) }

export class Targets {
  readonly #account: Account
  readonly #run: Run
  readonly #tally: Tally
  readonly #byName = new Map<string, Target>()
  readonly #asked = new Map<Target, Promise<void>>()

  constructor(account: Account, run: Run, tally: Tally) {
    this.#account = account
    this.#run = run
    this.#tally = tally
  }

  /** What is to be fetched, with its due deliveries. What turned out to be delivered already is settled and left out.
   *  Asks each destination whether it is there; rejects when all that are needed are down. */
  async prepare(fetches: readonly PlannedFetch[]): Promise<Jobs> {
    if (fetches.length === 0) return noJobs
    for (const name of possibleNames(this.#account)) await this.#target(name)
    for (const { known } of fetches)
      for (const { destination } of known?.deliveries ?? []) await this.#target(destination)
    await this.#ready()
    const choice = await this.#choice()
    const left: PlannedFetch[] = []
    const fixed = new Map<PlannedFetch, readonly Due[]>()
    for (const fetch of fetches) {
      const due = isUntouched(fetch) ? null : await this.#undone(fetch)
      if (due === 'delivered') this.#tally.delivered++
      else if (due === 'waiting') this.#tally.deferred++
      else if (due !== 'held') left.push(fetch)
      if (typeof due !== 'string' && due !== null) fixed.set(fetch, due)
    }
    return {
      fetches: left,
      job: (fetch) => {
        const due = fixed.get(fetch)
        if (due !== undefined) return { ...fetch, due, choice: null }
        return choice === null
          ? { ...fetch, due: this.#all(this.#account.deliver), choice }
          : { ...fetch, due: [], choice }
      },
    }
  }

  /** Those of the configuration, each asked whether it is there. */
  async configured(): Promise<readonly Target[]> {
    const targets = await Promise.all(possibleNames(this.#account).map((name) => this.#target(name)))
    await this.#ready()
    return targets
  }

  async #target(name: string): Promise<Target> {
    const opened = this.#byName.get(name) ?? (await this.#run.destinations.target(name, this.#account))
    // Who asked for it meanwhile has one already: what is found out about it is for all.
    const target = this.#byName.get(name) ?? opened
    this.#byName.set(name, target)
    return target
  }

  /** Rejects when all are down. */
  async #ready(): Promise<void> {
    await this.#ask()
    if (this.allDown !== null) throw this.allDown
    for (const { down, name } of this.#byName.values())
      if (down !== null) this.#tally.note(`${name} is down: ${down.message}`)
  }

  /** Each once in a session whether it is there; who asks meanwhile waits for the same answer. */
  async #ask(): Promise<void> {
    await Promise.all(
      [...this.#byName.values()].map(async (target) => {
        let answer = this.#asked.get(target)
        if (answer === undefined) {
          answer = this.#readiness(target)
          this.#asked.set(target, answer)
        }
        await answer
      }),
    )
  }

  async #readiness(target: Target): Promise<void> {
    if (target.down !== null) return
    try {
      await target.destination.ready(this.#run.signal)
    } catch (error) {
      // It is the poll that ends, not the destination that is down.
      if (this.#run.signal.aborted) throw asPopfetchError(this.#run.signal.reason)
      target.down = asPopfetchError(error, 'destination')
    }
  }

  /** Why nothing can be delivered at all; null: some destination takes mail, or none was asked. */
  get allDown(): PopfetchError | null {
    const downs = [...this.#byName.values()].map(({ down }) => down)
    return downs.every((down) => down !== null) ? (downs[0] ?? null) : null
  }

  /** null: every message goes to the same destinations. */
  async #choice(): Promise<Choice | null> {
    const route = await router(this.#account)
    if (route === null) return null
    const targets = possibleNames(this.#account).flatMap((name) => this.#byName.get(name) ?? [])
    return { targets, due: (message) => this.#all(route(message)) }
  }

  /** Every recipient of these destinations. */
  #all(names: readonly string[]): readonly Due[] {
    return names.flatMap((name) => {
      const target = this.#byName.get(name)
      const recipients = target?.destination.recipients ?? []
      return target === undefined
        ? []
        : recipients.map((recipient) => ({ target, recipient, intent: newIntent(), attempts: 0, doubtful: false }))
    })
  }

  /** `waiting`: what is left cannot be tried now, since a destination that may have it already is down. `held`: an answer
   *  was lost once too often. */
  async #undone(fetch: PlannedFetch): Promise<readonly Due[] | 'delivered' | 'waiting' | 'held'> {
    const due: Due[] = []
    let waiting = false
    for (const delivery of fetch.known?.deliveries ?? []) {
      const { state, recipient, attempts, unknowns } = delivery
      if (state === 'done') continue
      const target = await this.#target(delivery.destination)
      let doubtful = false
      if (state === 'started' || state === 'unknown') {
        if (target.down !== null) {
          waiting = true
          continue
        }
        if (await this.#recalled(fetch, delivery, target)) continue
        doubtful = !target.destination.remembers
        if (doubtful && state === 'started') await this.#unknown(fetch, delivery)
        if (doubtful && unknowns + (state === 'started' ? 1 : 0) >= MOST_UNKNOWNS) {
          await this.#hold(fetch)
          return 'held'
        }
      }
      due.push({ target, recipient, intent: newIntent(), attempts, doubtful })
    }
    if (due.length > 0) return due
    return waiting ? 'waiting' : 'delivered'
  }

  /** Settles what a crash cut off and its destination has, listed or not: before messages are matched by what is known of
   *  them, which for these is nothing yet. A destination that is down keeps nobody from matching the others. */
  async recallAll(): Promise<void> {
    for await (const slice of this.#run.ledger.records.list(this.#account.name, 'open')) {
      for (const { key, deliveries } of slice) {
        for (const delivery of deliveries.filter(({ state }) => state === 'started' || state === 'unknown')) {
          const target = await this.#target(delivery.destination)
          await this.#ask()
          if (target.down === null) await this.#recalled(key, delivery, target)
        }
      }
    }
  }

  /** Did the cut-off attempt arrive after all? Then it is settled. */
  async #recalled(fetch: EntryKey, delivery: Delivery, target: Target): Promise<boolean> {
    const { destination, recipient, intent } = delivery
    const attempt = { intent, recipient, origin: originOf(this.#account, fetch) }
    const receipt = await target.destination.recall(attempt, this.#run.signal)
    if (receipt === null) return false
    const { received } = receipt
    await this.#run.ledger.settle(this.#account.name, {
      key: { uidl: fetch.uidl, copy: fetch.copy },
      destination,
      recipient,
      outcome: { state: 'done', receipt: receipt.text },
      received,
    })
    return true
  }

  async #unknown(fetch: PlannedFetch, { destination, recipient }: Delivery): Promise<void> {
    await this.#run.ledger.settle(this.#account.name, {
      key: { uidl: fetch.uidl, copy: fetch.copy },
      destination,
      recipient,
      outcome: { state: 'unknown', error: 'interrupted before its answer was recorded', retryAfterMs: 0 },
      received: null,
    })
  }

  async #hold(fetch: PlannedFetch): Promise<void> {
    const reason = `the answer to its delivery was lost ${MOST_UNKNOWNS} times; it may be there already`
    const { uidl, copy, sizeBytes } = fetch
    await this.#run.ledger.hold(this.#account.name, [{ key: { uidl, copy }, listedBytes: sizeBytes, reason }])
    this.#tally.held++
    this.#tally.problem({ uidl, kind: 'held', reason })
  }
}

/** No deliveries were fixed for it yet, or all were done and it is to be delivered again. */
function isUntouched({ known }: PlannedFetch): boolean {
  return known === null || known.deliveries.length === 0
}
