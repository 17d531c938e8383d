// How many messages may still go to each destination that has a `rate`: one pace for each server and user, over all accounts
// and processes. What was offered is counted in the ledger before it is offered, so that no end of a process frees anything. What
// is about to be retrieved is set aside in memory: no message is downloaded for nothing.
import { formatRate, type Rate } from '../../config/values/quantity.ts'
import { localStamp } from '../../display.ts'
import type { ClockReading, Sent } from '../../ledger/destination.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { countsNow, freeOf, nextFreeMs, withOneMore } from './rate.ts'

interface Context {
  readonly ledger: Pick<Ledger, 'destination' | 'changeDestination'>
  readonly clock: () => ClockReading
}

/** What is known of one server and user. */
interface Counted {
  sent: Sent | null
  /** Set aside for messages that are on their way, and not in `sent`. */
  aside: number
}

/** The right to offer one message. Disposed of without being used, it is free for another one. */
export interface Permit extends Disposable {
  /** Counts the message, durably. False: another process was quicker, and the message is not to be offered. Rejects with
   *  ERR_LEDGER. */
  use(): Promise<boolean>
}

export class Paces {
  readonly #context: Context
  readonly #counted = new Map<string, Counted>()

  constructor(context: Context) {
    this.#context = context
  }

  /** `key`: of the destination's place. `name`: what the configuration calls it. */
  at(key: string, name: string, rates: readonly Rate[]): Pace {
    let counted = this.#counted.get(key)
    if (counted === undefined) {
      counted = { sent: null, aside: 0 }
      this.#counted.set(key, counted)
    }
    return new Pace({ ...this.#context, key, name, rates, counted })
  }
}

interface Place extends Context {
  readonly key: string
  readonly name: string
  readonly rates: readonly Rate[]
  readonly counted: Counted
}

/** One destination's. */
export class Pace {
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  /** Reads what other processes sent. Rejects with ERR_LEDGER. */
  async look(): Promise<void> {
    const { ledger, clock, key, counted } = this.#place
    counted.sent = (await ledger.destination(key, '')).sent
    // A clock that was set is recorded once: it would be noticed forever, and keep the place closed.
    if (counted.sent !== null && countsNow(counted.sent, clock()) !== counted.sent.counts) await this.#change(0)
  }

  /** May no message go there now? */
  get isSpent(): boolean {
    const { rates, counted, clock } = this.#place
    const now = clock()
    return freeOf(rates, countsNow(counted.sent, now), now.nowMs) <= counted.aside
  }

  /** Sets one message aside. Null: none may go now. */
  reserve(): Permit | null {
    if (this.isSpent) return null
    const { counted } = this.#place
    counted.aside++
    let isHeld = true
    const giveUp = (): void => {
      if (isHeld) counted.aside--
      isHeld = false
    }
    return {
      use: async () => {
        try {
          return await this.#change(1)
        } finally {
          giveUp()
        }
      },
      [Symbol.dispose]: giveUp,
    }
  }

  /** False: `more` are too many. */
  async #change(more: 0 | 1): Promise<boolean> {
    const { ledger, clock, key, name, rates, counted } = this.#place
    let isFree = true
    const { sent } = await ledger.changeDestination(key, '', (record) => {
      const now = clock()
      const counts = countsNow(record.sent, now)
      isFree = freeOf(rates, counts, now.nowMs) >= more
      if (isFree && more > 0)
        return { ...record, names: [...new Set([...record.names, name])], sent: withOneMore(counts, now) }
      if (record.sent === null || counts === record.sent.counts) return record
      return { ...record, sent: counts.length === 0 ? null : { counts, clock: now } }
    })
    counted.sent = sent
    return isFree
  }

  get name(): string {
    return this.#place.name
  }

  /** For people: why nothing goes there now, and when the next message may. */
  get text(): string {
    const { name, rates, counted, clock } = this.#place
    const now = clock()
    const offered = [...countsNow(counted.sent, now), [now.nowMs, counted.aside] as const]
    const nextMs = nextFreeMs(rates, offered, now.nowMs)
    return `${name} has received as many messages as its rate of ${rates.map(formatRate).join(' and ')} allows; the next may be sent at ${localStamp(nextMs)}`
  }
}
