// Messages of a batch on their way to one recipient at a mail server: what a volley is to a Maildir. Each is offered as hand-over.ts
// offers it, with the same steps in the same order: its turn, its place, the record that it is handed over, the record of what became of
// it. What is saved is all that comes before that: no spool and no job while a message is received.
//
// Whatever is not taken ends the lane. That message goes on in hand-over.ts, with the error, and keeps its place until it is settled there
// (S042). Those that were not offered are offered there. The one rule: what was offered here is not offered again.
import { asPopfetchError } from '../../errors.ts'
import type { Message, ReceivedFacts } from '../../message.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import { closedAt } from '../route/closed.ts'
import type { Job } from '../route/due.ts'
import { HandingOver } from '../run/handing.ts'
import type { Visit } from '../visit.ts'
import type { LanePlace } from './road.ts'
import type { UsualRoad } from './usual-road.ts'

/** A message of a batch, with bytes of its own. */
export interface Letter {
  readonly fetch: PlannedFetch
  /** Of the attempt that is recorded as begun. */
  readonly intent: string
  readonly message: Message
  readonly received: ReceivedFacts
}

export class Relay {
  readonly #place: LanePlace
  readonly #visit: Visit
  readonly #road: UsualRoad
  /** Messages that are offered, or wait for that. */
  #offered = 0
  /** The same, and those whose record is not durable yet. */
  #open = 0
  /** Tells whoever waits that one of these is less. */
  #wake: (() => void) | null = null
  /** Something was not taken, or could not be recorded, or nothing may be offered any more: the rest is not for the lane. */
  #isOver = false

  constructor(place: LanePlace, visit: Visit, road: UsualRoad) {
    this.#place = place
    this.#visit = visit
    this.#road = road
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Resolves when the last of so many is on its way: as many are at once as go there at once, so that one that takes long holds up no
   *  other. `letterOf` is called once for each, in their order, and never later. */
  async begin(count: number, letterOf: (row: number) => Letter): Promise<void> {
    for (let row = 0; row < count; row++) {
      while (this.#offered >= this.#place.target.handOvers.count) await this.#less()
      // Nothing is counted before it is there, or `ended` would wait for it.
      const letter = letterOf(row)
      this.#offered++
      this.#open++
      void this.#one(letter)
    }
  }

  /** Resolves when all that was begun has come to its end. */
  async ended(): Promise<void> {
    while (this.#open > 0) await this.#less()
  }

  #less(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  #awake(): void {
    this.#wake?.()
    this.#wake = null
  }

  async #one(letter: Letter): Promise<void> {
    const record = await this.#offer(letter)
    this.#offered--
    this.#awake()
    this.#visit.tally.progress()
    if (record !== null) await this.#recorded(letter, record)
    this.#open--
    this.#awake()
  }

  /** Resolves when another one may be offered. Null: it came to its end on the usual road. Never rejects. */
  async #offer(letter: Letter): Promise<RecordOfOne | null> {
    try {
      const record = await this.#offerHere(letter)
      if (record !== 'not offered') return record
    } catch (error) {
      // A bug: it stays begun, and the next poll looks for it first (P2).
      this.#isOver = true
      await this.#road.notRecorded(this.#jobOf(letter), error)
      return null
    }
    this.#isOver = true
    // It waits there for its turn as any other.
    await this.#road.offer(this.#jobOf(letter), letter.message, null)
    return null
  }

  async #offerHere(letter: Letter): Promise<RecordOfOne | null | 'not offered'> {
    const { fetch, intent, message, received } = letter
    const { destinations, envelopeRefusals, lease, run } = this.#visit
    const { target, recipient } = this.#place
    using _ = await destinations.turn(target, recipient)
    using admitted = await envelopeRefusals.admit(target)
    using handing = new HandingOver()
    if (admitted === null || (await handing.begin(target, run.deliverySignal)) !== null) return 'not offered'
    // What another one was answered meanwhile may be the destination's.
    if (this.#isOver || closedAt(target, recipient) !== null) return 'not offered'
    const delivery = { key: { uidl: fetch.uidl, copy: fetch.copy }, destination: target.name, recipient }
    const since = destinations.closings(target)
    const handingOver = async (): Promise<void> => {
      await run.ledger.handOver(lease, [delivery])
      // The answer may have come while we slept.
      lease.requireHeld()
    }
    let receipt: string
    try {
      const attempt = { intent, origin: message.origin, recipient, handingOver, right: lease }
      receipt = (await target.destination.deliver(attempt, message, run.deliverySignal)).text
    } catch (thrown) {
      this.#isOver = true
      const tried = { error: asPopfetchError(thrown, 'message'), since, handing }
      await this.#road.offer(this.#jobOf(letter), message, tried)
      return null
    }
    const taken = destinations.taken(target, recipient, since)
    const outcome = { state: 'done', receipt } as const
    const recorded = run.ledger.settle(lease, { ...delivery, outcome, received })
    // Not after the commit: the next hand-over goes with the same one, behind it.
    handing[Symbol.dispose]()
    // Whoever waits for it hears of a failure (#recorded), which may come before that.
    recorded.catch(() => {})
    // Until then the turn is kept.
    await taken.catch(() => {})
    return { recorded, taken }
  }

  async #recorded(letter: Letter, { recorded, taken }: RecordOfOne): Promise<void> {
    try {
      await recorded
      await taken
      this.#road.delivered(letter.fetch)
    } catch (error) {
      this.#isOver = true
      await this.#road.notRecorded(this.#jobOf(letter), error)
    }
  }

  #jobOf({ fetch, intent }: Letter): Job {
    return jobOf(fetch, intent, this.#place)
  }
}

/** A message of the lane as the usual road knows it. */
export function jobOf(fetch: PlannedFetch, intent: string, { target, recipient }: LanePlace): Job {
  const due = [{ target, recipient, intent, before: null, doubtful: false }]
  return { ...fetch, due, choice: null, copies: [], later: null }
}

interface RecordOfOne {
  readonly recorded: Promise<void>
  /** What the destination is known to take. */
  readonly taken: Promise<void>
}
