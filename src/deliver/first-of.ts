// Several destinations as one: the first that does not refuse a message takes it, so that mail which a forward refuses still
// lands somewhere. One rule: the next destination is asked only after a refusal of the message, a final refusal of the
// recipient, or a day of waiting. After an answer that was lost it never is. The first may have the message already, and a
// second copy elsewhere would be one too many.
import { asPopfetchError, DeliveryError, factsOf, PopfetchError } from '../errors.ts'
import type { Message } from '../message.ts'
import { concluded } from './answers/conclusions.ts'
import { type Attempt, type Destination, type Receipt, receiptOf, type Recollection } from './destination.ts'

export interface Member {
  /** As in the configuration. */
  readonly name: string
  /** Its owner closes it. */
  readonly destination: Destination
  /** Its one recipient. */
  readonly recipient: string
}

export function firstOf(name: string, members: readonly Member[]): Destination {
  const [first] = members
  return {
    description: name,
    recipients: [''],
    // When the message is received, nobody knows yet which destination takes it.
    spool: null,
    remembers: members.every(({ destination }) => destination.remembers),

    /** The first decides: while it takes no mail, the others get none. `wasThere` speaks of it alone. */
    ready: async (signal, wasThere) => await first?.destination.ready(signal, wasThere),

    /** Of all: where it ends with one, the others have been asked too. */
    async probe(signal, wasThere) {
      const tried = await Promise.allSettled(members.map(({ destination }) => destination.probe(signal, wasThere)))
      const failed = tried.find((one) => one.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      const probes = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      return {
        tls: probes[0]?.tls ?? null,
        findings: probes.flatMap(({ findings }) => findings),
        warnings: probes.flatMap(({ warnings }) => warnings),
      }
    },

    async recall(attempt, signal) {
      for (const member of members) {
        const found: Recollection | null = await member.destination.recall(addressed(attempt, member), signal)
        if (found !== null) return { ...named(member, found), received: found.received }
      }
      return null
    },

    async census(origins, signal) {
      // One that is down cannot now.
      const asked = await Promise.allSettled(members.map(({ destination }) => destination.census(origins, signal)))
      const lists = asked.map((answer) => (answer.status === 'fulfilled' ? answer.value : null))
      if (lists.every((list) => list === null)) return null
      return Array.from({ length: origins.length }, (_, at) => {
        const found = members.flatMap((member, of) => {
          const standing = lists[of]?.[at] ?? null
          return standing === null ? [] : [{ ...standing, ...named(member, standing) }]
        })
        return found[0] ?? null
      })
    },

    async deliver(attempt, message, signal) {
      const refusals: DeliveryError[] = []
      let waits: PopfetchError | null = null
      for (const [at, member] of members.entries()) {
        const isLast = at === members.length - 1
        const offer = { attempt, message, signal, isFirst: at === 0, isLast }
        const taken = await offered(member, offer)
        if (!(taken instanceof PopfetchError)) {
          await attempt.chain?.taken(member.name)
          return named(member, taken)
        }
        if (taken instanceof DeliveryError && sendsOn(taken, offer)) refusals.push(taken)
        else waits ??= taken
      }
      // One that only has to wait may yet take it.
      if (waits !== null) throw waiting(waits)
      throw refusedByAll(refusals)
    },

    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

interface Offer {
  readonly attempt: Attempt
  readonly message: Message
  readonly signal: AbortSignal
  readonly isFirst: boolean
  readonly isLast: boolean
}

/** The receipt, or the failure that sends the message on. Rejects with every other failure. */
async function offered(member: Member, offer: Offer): Promise<Receipt | PopfetchError> {
  const { attempt, message, signal, isFirst, isLast } = offer
  const { chain } = attempt
  const mayGoOn = chain?.goesOn === true && !isLast
  const closed = (await chain?.closed(member.name)) ?? null
  if (closed !== null) {
    if (mayGoOn) return closed
    throw waiting(closed)
  }
  try {
    return await member.destination.deliver(addressed(attempt, member), message, signal)
  } catch (thrown) {
    const error = asPopfetchError(thrown, 'message')
    if (!(error instanceof DeliveryError)) throw error
    const isRefused = sendsOn(error, offer)
    const goesOn = isRefused || (mayGoOn && error.verdict === 'temporary' && !signal.aborted)
    // The first one's refusals open no rest: another one takes what it refuses (D133).
    if (!isFirst || (goesOn && !isRefused)) await chain?.answered(member.name, error)
    else if (goesOn) chain?.refused(member.name, error)
    if (goesOn) return error
    // If one of the others is down, only the mail that the first refuses has to wait.
    throw isFirst || error.scope === 'message' ? error : waiting(error)
  }
}

/** It is about this message alone, as far as all of them together are concerned. */
function waiting(error: PopfetchError): DeliveryError {
  const facts = error instanceof DeliveryError ? factsOf(error) : concluded('TEMP', 'left alone', { counts: false })
  return new DeliveryError(error.message, { ...facts, scope: 'message', cause: error })
}

function sendsOn(error: DeliveryError, { isLast }: Offer): boolean {
  return isRefusal(error) || (!isLast && isRecipientRefused(error))
}

const isRefusal = ({ verdict }: DeliveryError): boolean => verdict === 'refused' || verdict === 'held'

/** A 5xx for the recipient: alone it would wait, but here is somebody else who takes the mail (D133). */
const isRecipientRefused = ({ conclusion, answer }: DeliveryError): boolean =>
  conclusion === 'RCPT' && answer.same.startsWith('5')

/** The answer of the last one decides, with the words of all. The message is held if any of them held it. */
function refusedByAll(refusals: readonly DeliveryError[]): DeliveryError {
  const text = refusals.map(({ message }) => message).join('; ')
  const decides = refusals.find(({ verdict }) => verdict === 'held') ?? refusals.at(-1)
  return new DeliveryError(text, decides === undefined ? concluded('ACT', 'no members') : factsOf(decides))
}

function addressed(attempt: Attempt, { recipient }: Member): Attempt {
  return { ...attempt, recipient }
}

/** The receipt names the destination that took the message. */
function named({ name }: Member, { text }: Receipt): Receipt {
  return receiptOf(`${name}: ${text}`)
}
