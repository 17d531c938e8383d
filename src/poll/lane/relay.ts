// Messages of a batch on their way to one recipient at a mail server: what a volley is to a Maildir. Each is offered as hand-over.ts offers
// it, with the same steps in the same order: its turn, its place, the record that it is handed over, the record of what became of it. What
// is saved is all that comes before that: no spool and no job while a message is received.
//
// They go in sequences, as many as go there at once. A sequence keeps one turn and one place. The next message of a sequence is announced
// in one write with the end of the one before (smtp/line/line.ts), if nobody else waits for a place and nothing is amiss there. Its content
// goes only after the one before was taken, and once its own hand-over is durable. Announced is not offered: an announced message may still
// be offered on the usual road.
//
// Whatever is not taken ends the relay at once, and the lane when the batch has been given out. That message goes on in hand-over.ts, with
// the error, and keeps its place until it is settled there (S042). Until then each sequence leaves its message to the usual road. The one
// rule: what was offered here is not offered again.
//
// Limits: the memory of two messages a sequence (`memoryBesides`), besides that of the batches. What goes over the wire is a copy of each,
// as on the usual road.
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
interface Sequence {
  /** Offered, or to be offered next; null: none is left. */
  current: Offer | null
  /** Announced with the end of the current one, or to be announced; null: none is, or not yet. */
  announced: Offer | null
}

interface Offer {
  readonly relayed: Relayed
  readonly attempt: Attempt
}

const GONE = AbortSignal.abort()

/** What the messages of the sequences take at most, of these sizes, besides the batches: of each sequence one that is offered, and one
 *  that is announced. */
export function memoryBesides({ target, volleys }: LanePlace, sizesBytes: readonly number[]): number {
  if (volleys !== null) return 0
  const largestBytes = sizesBytes.reduce((largest, size) => Math.max(largest, size), 0)
  return largestBytes * Math.min(2 * target.handOvers.count, sizesBytes.length)
}

export class Relay {
  readonly #place: LanePlace
  readonly #visit: Visit
  readonly #road: UsualRoad
  #sequences = 0
  /** Messages that were given out, and whose outcome is not durable yet. */
  #unrecorded = 0
  /** Messages of the batch that are not given out yet. */
  #toGive = 0
  /** Gives out the next one of them; null: all were given. */
  #next: () => Relayed | null = () => null
  /** Tells whoever waits that one of these is less. One waits at a time: `ended` is not called while `giveOut` waits. */
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

  /** Resolves when the last of `count` messages has been given to a sequence. As many sequences run as the destination has places, so a
   *  slow message holds up no other. `messageOf` is called once for each, in their order, and never later. */
  async giveOut(count: number, messageOf: (row: number) => Relayed): Promise<void> {
    this.#toGive = count
    this.#next = () => {
      if (this.#toGive === 0) return null
      const relayed = messageOf(count - this.#toGive--)
      // Nothing is counted before it is there, or `ended` would wait for it.
      this.#unrecorded++
      if (this.#toGive === 0) this.#awake()
      return relayed
    }
    while (this.#toGive > 0) {
      const relayed = this.#sequences < this.#place.target.handOvers.count ? this.#next() : null
      if (relayed === null) await this.#less()
      else {
        this.#sequences++
        void this.#sequence(relayed)
      }
    }
  }

  /** Resolves when all that was given out has come to its end. */
  async ended(): Promise<void> {
    while (this.#unrecorded > 0) await this.#less()
  }

  #less(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  #awake(): void {
    this.#wake?.()
    this.#wake = null
  }

  #closed(): void {
    this.#unrecorded--
    this.#awake()
  }

  /** Never rejects. */
  async #sequence(relayed: Relayed): Promise<void> {
    const sequence: Sequence = { current: null, announced: null }
    sequence.current = this.#offerOf(relayed, sequence)
    try {
      await this.#offerHere(sequence)
    } catch (error) {
      // A bug: it stays begun, and the next poll looks for it first (P2).
      this.#isOver = true
      const { current } = sequence
      sequence.current = null
      if (current !== null) {
        await this.#road.notRecorded(this.#jobOf(current.relayed), error)
        this.#closed()
      }
    }
    await this.#giveBack(sequence)
    this.#sequences--
    this.#awake()
  }

  /** What is left of it was not offered: it waits on the usual road for its turn as any other. Until then this sequence still counts, so
   *  that no other one takes its place. */
  async #giveBack(sequence: Sequence): Promise<void> {
    const rest = [sequence.current, sequence.announced].filter((offer) => offer !== null)
    sequence.current = sequence.announced = null
    await Promise.all(rest.map((offer) => this.#giveBackOne(offer)))
  }

  async #giveBackOne({ relayed }: Offer): Promise<void> {
    this.#isOver = true
    await this.#road.offer(this.#jobOf(relayed), relayed.message, null)
    this.#closed()
  }

  #offerOf(relayed: Relayed, sequence: Sequence): Offer {
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
      // The computer may have slept meanwhile, and the lease be lost.
      lease.requireHeld()
    }
    const following = (): Following | null => this.#following(sequence)
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

  /** The one behind the current one: only where nobody else waits for a place there, and nothing is amiss. */
  #following(sequence: Sequence): Following | null {
    const { target } = this.#place
    if (sequence.announced === null) {
      if (this.#isShut || target.handOvers.isWanted || !this.#isClean) return null
      const relayed = this.#next()
      sequence.announced = relayed === null ? null : this.#offerOf(relayed, sequence)
    }
    return sequence.announced === null
      ? null
      : { attempt: sequence.announced.attempt, message: sequence.announced.relayed.message }
  }

  /** What it leaves in `sequence` was not offered. */
  async #offerHere(sequence: Sequence): Promise<void> {
    const { destinations, envelopeRefusals, run } = this.#visit
    const { target, recipient } = this.#place
    using _ = await destinations.turn(target, recipient)
    using admitted = await envelopeRefusals.admit(target)
    using handing = new HandingOver()
    if (admitted === null || (await handing.begin(target, run.deliverySignal)) !== null) return
    if (this.#isShut) return
    while (sequence.current !== null) {
      const { relayed, attempt } = sequence.current
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
        sequence.current = null
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
      sequence.current = sequence.announced
      sequence.announced = null
      // Freed before the commit: the next hand-over is queued behind this record, and goes in the same commit. The next one of the
      // sequence has the same place.
      if (sequence.current === null) handing[Symbol.dispose]()
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
