// Several destinations as one: the first that does not refuse a message takes it, so that mail which a forward refuses
// still lands somewhere. One rule: the next destination is asked only after a refusal. After any other failure the first
// may have the message already, or take it later, and a second copy elsewhere would be one too many.
import { asPopfetchError, DeliveryError } from '../errors.ts'
import type { Message } from '../message.ts'
import { type Attempt, type Destination, type Receipt, receiptOf, type Recollection } from './destination.ts'

export interface Member {
  /** As in the configuration. */
  readonly name: string
  /** Has one recipient. Its owner closes it. */
  readonly destination: Destination
}

export function firstOf(name: string, members: readonly Member[]): Destination {
  const [first, ...others] = members
  return {
    description: name,
    recipients: [''],
    // When the message is received, nobody knows yet which destination takes it.
    spool: null,
    remembers: members.every(({ destination }) => destination.remembers),

    /** The first decides; the others are made ready for the mail that it refuses. */
    async ready(signal) {
      const ready = others.map(({ destination }) => destination.ready(signal))
      await Promise.all([first?.destination.ready(signal), Promise.allSettled(ready)])
    },

    async recall(attempt, signal) {
      for (const member of members) {
        const found: Recollection | null = await member.destination.recall(addressed(attempt, member), signal)
        if (found !== null) return { ...named(member, found), received: found.received }
      }
      return null
    },

    census: () => Promise.resolve(null),

    async deliver(attempt, message, signal) {
      const refusals: DeliveryError[] = []
      for (const member of members) {
        const taken = await offered(member, { attempt, message, signal, isFirst: member === first })
        if (!(taken instanceof DeliveryError)) return named(member, taken)
        refusals.push(taken)
      }
      throw new DeliveryError(refusals.map(({ message: text }) => text).join('; '), {
        verdict: 'refused',
        scope: 'message',
        retry: 'later',
        hold: refusals.some(({ hold }) => hold),
      })
    },

    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

interface Offer {
  readonly attempt: Attempt
  readonly message: Message
  readonly signal: AbortSignal
  readonly isFirst: boolean
}

/** The receipt, or the refusal. Rejects with every other failure. */
async function offered(member: Member, { attempt, message, signal, isFirst }: Offer): Promise<Receipt | DeliveryError> {
  try {
    return await member.destination.deliver(addressed(attempt, member), message, signal)
  } catch (thrown) {
    const error = asPopfetchError(thrown, 'message')
    if (!(error instanceof DeliveryError)) throw error
    if (error.verdict === 'refused') return error
    // If one of the others is down, only the mail that the first refuses has to wait.
    if (isFirst || error.scope === 'message') throw error
    const { verdict, retry } = error
    throw new DeliveryError(error.message, { verdict, scope: 'message', retry, cause: error })
  }
}

function addressed(attempt: Attempt, { destination }: Member): Attempt {
  return { ...attempt, recipient: destination.recipients[0] ?? '' }
}

/** The receipt names the destination that took the message. */
function named({ name }: Member, { text }: Receipt): Receipt {
  return receiptOf(`${name}: ${text}`)
}
