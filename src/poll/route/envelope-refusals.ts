// How many messages each destination refused before their content in one poll, over all its sessions: Servers count those. One that
// has refused too many is offered no more in this poll (D127). What is left waits for the next one.
import { concluded } from '../../deliver/answers/conclusions.ts'
import { DeliveryError } from '../../errors.ts'
import type { Answer } from '../rests/answer.ts'

const MOST_REFUSED = 100

/** A destination as one poll offers messages to it. */
interface Offered {
  readonly name: string
  readonly key: string
  /** Messages that are being offered there. */
  offered: number
}

export class EnvelopeRefusals {
  /** By key. */
  readonly #refused = new Map<string, number>()
  #settled = Promise.withResolvers<void>()

  /** It did not take a message. */
  count({ key }: Pick<Offered, 'key'>, { step }: Pick<Answer, 'step'>): void {
    if (step === 'MAIL' || step === 'RCPT') this.#refused.set(key, (this.#refused.get(key) ?? 0) + 1)
  }

  /** Does it get no more in this poll? */
  isOver({ key }: Pick<Offered, 'key'>): boolean {
    return (this.#refused.get(key) ?? 0) >= MOST_REFUSED
  }

  /** The right to offer one message there, until it is disposed of: when what was said is recorded. Null: it gets no more. */
  async admit(target: Offered): Promise<Disposable | null> {
    // Those under way may be refused as well.
    for (;;) {
      const refused = this.#refused.get(target.key) ?? 0
      if (refused >= MOST_REFUSED) return null
      if (refused === 0 || target.offered === 0 || refused + target.offered < MOST_REFUSED) break
      await this.#settled.promise
    }
    target.offered++
    return {
      [Symbol.dispose]: () => {
        target.offered--
        this.#settled.resolve()
        this.#settled = Promise.withResolvers()
      },
    }
  }
}

/** Why a message is not offered to a destination that gets no more in this poll. */
export function tooManyRefused({ name }: Pick<Offered, 'name'>): DeliveryError {
  const text = `${name} refused ${MOST_REFUSED} messages in this poll, the others wait for the next one`
  return new DeliveryError(text, concluded('TEMP', 'too many refusals', { counts: false }))
}
