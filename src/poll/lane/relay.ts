// Messages of a batch on their way to one recipient at a mail server: what a volley is to a Maildir. Each is offered as hand-over.ts
// offers it, with the same steps in the same order: its turn, its place, the record that it is handed over, the record of what became of
// it. What is saved is all that comes before that: no spool and no job while a message is received.
//
// They go in rows, as many as go there at once: under one turn and one place, the next of a row is announced with the end of the one
// before, as long as nobody else waits for a place and nothing is amiss. Rows take their messages from the batch one by one, so that one
// that takes long holds up no other.
//
// Whatever is not taken ends the lane. That message goes on in hand-over.ts, with the error, and keeps its place until it is settled there
// (S042). Those that were not offered are offered there. The one rule: what was offered here is not offered again. One that was announced
// when the destination turned out to be closed was not: nothing of it went but its envelope.
//
// Limits: the memory of two messages a row (`memoryBesides`), besides that of the batches. What goes over the wire is a copy of each, as
// on the usual road.
import { concluded } from '../../deliver/answers/conclusions.ts'
import type { Attempt, Following } from '../../deliver/destination.ts'
import { asPopfetchError, DeliveryError } from '../../errors.ts'
import type { Message, ReceivedFacts } from '../../message.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import { closedAt } from '../route/closed.ts'
import type { Job } from '../route/due.ts'
import { knownAt, placesOf } from '../route/places.ts'
import { HandingOver } from '../run/handing.ts'
import type { Visit } from '../visit.ts'
import type { LanePlace } from './road.ts'
import type { UsualRoad } from './usual-road.ts'

/** A message of a batch, with bytes of its own. */
export interface Relayed {
  readonly fetch: PlannedFetch
  /** Of the attempt that is recorded as begun. */
  readonly intent: string
  readonly message: Message
  readonly received: ReceivedFacts
}

/** Messages that go there one behind the other, under one turn and one place. */
interface Row {
  /** Offered, or to be offered next; null: none is left. */
  first: Offer | null
  /** Announced with the end of the first one; null: none is, or not yet. */
  second: Offer | null
}

interface Offer {
  readonly relayed: Relayed
  readonly attempt: Attempt
}

const GONE = AbortSignal.abort()

/** What the messages of the rows take at most, of these sizes, besides the batches: of each row one that is offered, and one that is
 *  announced. */
export function memoryBesides({ target, volleys }: LanePlace, sizesBytes: readonly number[]): number {
  if (volleys !== null) return 0
  const largestBytes = sizesBytes.reduce((largest, size) => Math.max(largest, size), 0)
  return largestBytes * Math.min(2 * target.handOvers.count, sizesBytes.length)
}

export class Relay {
  readonly #place: LanePlace
  readonly #visit: Visit
  readonly #road: UsualRoad
  /** Messages that are offered, or wait for that: one of each row. */
  #offered = 0
  /** All that were begun and whose record is not durable yet. */
  #open = 0
  /** Messages of the batch that are not on their way yet. */
  #left = 0
  /** Gives the next one of them; null: all were given. */
  #next: () => Relayed | null = () => null
  /** Tells whoever waits that one of these is less. */
  #wake: (() => void) | null = null
  /** Something was not taken, or could not be recorded, or nothing may be offered any more: the rest is not for the lane. */
  #isOver = false
  /** Why one that was announced is not handed over. */
  readonly #held = new DeliveryError('not offered', concluded('TEMP', 'ours', { counts: false }))

  constructor(place: LanePlace, visit: Visit, road: UsualRoad) {
    this.#place = place
    this.#visit = visit
    this.#road = road
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Resolves when the last of so many is on its way: as many are at once as go there at once, so that one that takes long holds up no
   *  other. `messageOf` is called once for each, in their order, and never later. */
  async begin(count: number, messageOf: (row: number) => Relayed): Promise<void> {
    this.#left = count
    this.#next = () => {
      if (this.#left === 0) return null
      const relayed = messageOf(count - this.#left--)
      // Nothing is counted before it is there, or `ended` would wait for it.
      this.#open++
      if (this.#left === 0) this.#awake()
      return relayed
    }
    while (this.#left > 0) {
      const relayed = this.#offered < this.#place.target.handOvers.count ? this.#next() : null
      if (relayed === null) await this.#less()
      else {
        this.#offered++
        void this.#row(relayed)
      }
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

  #closed(): void {
    this.#open--
    this.#awake()
  }

  /** Never rejects. */
  async #row(relayed: Relayed): Promise<void> {
    const row: Row = { first: null, second: null }
    row.first = this.#offerOf(relayed, row)
    try {
      await this.#offerHere(row)
    } catch (error) {
      // A bug: it stays begun, and the next poll looks for it first (P2).
      this.#isOver = true
      const { first } = row
      row.first = null
      if (first !== null) {
        await this.#road.notRecorded(this.#jobOf(first.relayed), error)
        this.#closed()
      }
    }
    await this.#leave(row)
    this.#offered--
    this.#awake()
  }

  /** What is left of it was not offered: it waits on the usual road for its turn as any other. Until then no other row begins. */
  async #leave(row: Row): Promise<void> {
    const left = [row.first, row.second].filter((offer) => offer !== null)
    row.first = row.second = null
    await Promise.all(left.map((offer) => this.#leaveOne(offer)))
  }

  async #leaveOne({ relayed }: Offer): Promise<void> {
    this.#isOver = true
    await this.#road.offer(this.#jobOf(relayed), relayed.message, null)
    this.#closed()
  }

  #offerOf(relayed: Relayed, row: Row): Offer {
    const { lease, run } = this.#visit
    const { intent, message } = relayed
    const { recipient } = this.#place
    const delivery = this.#deliveryOf(relayed)
    let isHandedOver = false
    const handingOver = async (): Promise<void> => {
      // It may have been announced before another one was answered. Once it is in doubt it is offered.
      if (!isHandedOver && this.#isShut) throw this.#held
      isHandedOver = true
      await run.ledger.handOver(lease, [delivery])
      // The answer may have come while we slept.
      lease.requireHeld()
    }
    const following = (): Following | null => this.#following(row)
    return { relayed, attempt: { intent, origin: message.origin, recipient, handingOver, following, right: lease } }
  }

  #deliveryOf({ fetch }: Relayed) {
    const { target, recipient } = this.#place
    return { key: { uidl: fetch.uidl, copy: fetch.copy }, destination: target.name, recipient }
  }

  /** What another one was answered meanwhile may be the destination's. */
  get #isShut(): boolean {
    const { target, recipient } = this.#place
    return this.#isOver || closedAt(target, recipient) !== null
  }

  /** Nothing is amiss there. */
  get #isClean(): boolean {
    const { target, recipient } = this.#place
    const places = placesOf(target, [knownAt(target, recipient)])
    return !target.probing && places.every((place) => this.#visit.run.doors.isClean(place))
  }

  /** The one behind the first: only where nobody else waits for a place there, and nothing is amiss. */
  #following(row: Row): Following | null {
    const { target } = this.#place
    if (row.second === null) {
      if (this.#isShut || target.handOvers.isWanted || !this.#isClean) return null
      const relayed = this.#next()
      row.second = relayed === null ? null : this.#offerOf(relayed, row)
    }
    return row.second === null ? null : { attempt: row.second.attempt, message: row.second.relayed.message }
  }

  /** What it leaves in `row` was not offered. */
  async #offerHere(row: Row): Promise<void> {
    const { destinations, envelopeRefusals, run } = this.#visit
    const { target, recipient } = this.#place
    using _ = await destinations.turn(target, recipient)
    using admitted = await envelopeRefusals.admit(target)
    using handing = new HandingOver()
    if (admitted === null || (await handing.begin(target, run.deliverySignal)) !== null) return
    if (this.#isShut) return
    while (row.first !== null) {
      const { relayed, attempt } = row.first
      const { message } = relayed
      // Something came between: it is only given up, with the session that may be kept for it.
      const isLate = this.#isShut
      const since = destinations.closings(target)
      let receipt: string
      try {
        receipt = (await target.destination.deliver(attempt, message, isLate ? GONE : run.deliverySignal)).text
      } catch (thrown) {
        this.#isOver = true
        if (isLate || thrown === this.#held) return
        row.first = null
        const tried = { error: asPopfetchError(thrown, 'message'), since, handing }
        await this.#road.offer(this.#jobOf(relayed), message, tried)
        this.#visit.tally.progress()
        this.#closed()
        return
      }
      const taken = destinations.taken(target, recipient, since)
      const outcome = { state: 'done', receipt } as const
      const recorded = run.ledger.settle(this.#visit.lease, {
        ...this.#deliveryOf(relayed),
        outcome,
        received: relayed.received,
      })
      row.first = row.second
      row.second = null
      // Not after the commit: the next hand-over goes with the same one, behind it. The next one of the row has the same place.
      if (row.first === null) handing[Symbol.dispose]()
      void this.#recorded(relayed, recorded, taken)
      // Until then the turn is kept.
      await taken.catch(() => {})
      this.#visit.tally.progress()
    }
  }

  /** `taken`: what the destination is known to take. Never rejects. */
  async #recorded(relayed: Relayed, recorded: Promise<void>, taken: Promise<void>): Promise<void> {
    // Whichever fails first is heard of.
    recorded.catch(() => {})
    taken.catch(() => {})
    try {
      await recorded
      await taken
      this.#road.delivered(relayed.fetch)
    } catch (error) {
      this.#isOver = true
      await this.#road.notRecorded(this.#jobOf(relayed), error)
    }
    this.#closed()
  }

  #jobOf({ fetch, intent }: Relayed): Job {
    return jobOf(fetch, intent, this.#place)
  }
}

/** A message of the lane as the usual road knows it. */
export function jobOf(fetch: PlannedFetch, intent: string, { target, recipient }: LanePlace): Job {
  const due = [{ target, recipient, intent, before: null, doubtful: false }]
  return { ...fetch, due, choice: null, copies: [], later: null }
}
