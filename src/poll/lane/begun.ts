// What the lane has begun: its messages are numbered as `fetches` has them, and each step takes them in this order. An attempt is
// recorded up to 400 messages ahead of the last settled one, as lane.ts says. The one rule: nothing is asked for before the ledger says
// that it is begun (P2).
import type { Beginning } from '../../ledger/ledger.ts'
import type { Burst } from '../../pop3/wire/burst.ts'
import { newIntent } from '../attempt.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import { closedAt } from '../route/closed.ts'
import type { Job } from '../route/due.ts'
import type { Visit } from '../visit.ts'
import { jobOf } from './relay.ts'
import type { LanePlace } from './road.ts'
import type { UsualRoad } from './usual-road.ts'

export class Begun {
  readonly #fetches: readonly PlannedFetch[]
  readonly #place: LanePlace
  readonly #visit: Visit
  readonly #road: UsualRoad
  readonly #intents: string[] = []
  #count = 0
  /** How many were given to the burst, which asks for them as soon as there is room on the wire. */
  #given = 0
  /** No further message is begun. */
  #isLast = false

  constructor(fetches: readonly PlannedFetch[], place: LanePlace, visit: Visit, road: UsualRoad) {
    this.#fetches = fetches
    this.#place = place
    this.#visit = visit
    this.#road = road
  }

  /** How many are recorded as begun, counted from the first: `giveTo` gives out no others. */
  get count(): number {
    return this.#count
  }

  /** Not begun. */
  get rest(): readonly PlannedFetch[] {
    return this.#fetches.slice(this.#count)
  }

  /** No further one is begun from now on. */
  end(): void {
    this.#isLast = true
  }

  /** Begins `count` more, in a commit of their own. Where the ledger cannot record it, none of them is begun. */
  async more(count: number): Promise<void> {
    const { run, lease } = this.#visit
    const next = await this.upTo(this.#count + count)
    if (next.length === 0) return
    await this.#road.attempts.record(async () => {
      await run.ledger.begin(lease, next)
      this.recorded(next)
    })
  }

  /** The next ones up to the message `to`, to be recorded by whoever asks; none where no further one may be begun, or there is no space
   *  for them. */
  async upTo(to: number): Promise<readonly Beginning[]> {
    const { target, recipient, volleys } = this.#place
    if (this.#road.stopped || closedAt(target, recipient) !== null) this.#isLast = true
    const next = this.#isLast ? [] : this.#fetches.slice(this.#count, to)
    if (next.length === 0) return []
    try {
      const bytes = next.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
      await volleys?.reserve(next.length, bytes)
    } catch {
      // The usual road asks for the space of each, and tells which has none.
      this.#isLast = true
      return []
    }
    return next.map(({ uidl, copy, sizeBytes }, at) => {
      const intent = newIntent()
      this.#intents[this.#count + at] = intent
      const deliveries = [{ destination: target.name, recipient, intent }]
      return { key: { uidl, copy }, listedBytes: sizeBytes, deliveries }
    })
  }

  /** What `upTo` gave is in the ledger. */
  recorded(next: readonly Beginning[]): void {
    this.#count += next.length
  }

  /** Gives `burst` all that is begun and that it has not got yet. */
  giveTo(burst: Burst): void {
    const next = this.#fetches.slice(this.#given, this.#count)
    this.#given = this.#count
    burst.ask(
      next.map(({ number }) => number),
      next.map(({ sizeBytes }) => sizeBytes ?? 0),
    )
  }

  fetch(index: number): PlannedFetch {
    const fetch = this.#fetches[index]
    if (fetch === undefined) throw new Error('no such message in the lane')
    return fetch
  }

  /** Of the attempt that is recorded. */
  intent(index: number): string {
    return this.#intents[index] ?? newIntent()
  }

  /** As the usual road knows it. */
  job(index: number): Job {
    return jobOf(this.fetch(index), this.intent(index), this.#place)
  }

  jobs(from: number, to: number): readonly Job[] {
    return this.#fetches.slice(from, to).map((_, at) => this.job(from + at))
  }
}
