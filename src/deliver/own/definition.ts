// What a program that embeds popfetch writes to deliver into a place of its own: the public side of a destination. Three members
// are enough. own.ts makes of it what the rest of the house knows (destination.ts), and believes nothing of it unseen.
import { PopfetchError } from '../../errors.ts'
import type { Origin } from '../../message.ts'
import { Slots } from '../slots.ts'
import type { OwnMessage } from './message.ts'

/** One attempt to hand one message to a destination of your own. */
export interface OwnAttempt {
  /** Use it as an idempotency key. 32 hexadecimal digits: the same for every attempt with this message, destination and recipient,
   *  also after a crash and in another process; another one for anything else. */
  readonly key: string
  /** 16 hexadecimal digits, new for each attempt. */
  readonly intent: string
  /** Account, host, user and UIDL of the message. The UIDL is a server's text: never part of a path. */
  readonly origin: Origin
  /** One of `recipients`, filled in; '' for a destination without recipients. */
  readonly recipient: string
}

/** What your destination says when it has taken a message. */
export interface OwnReceipt {
  /** Where the message is now: an id, a path, an answer. At most 500 characters of it are kept in the ledger. */
  readonly text: string
}

/** A destination of your own. Every member may be called for several messages at once. Whatever it opens is yours to close, after the
 *  poller was disposed of. */
export interface OwnDestination {
  /** For people, in every error: `queue "mail"`. At most 200 characters. */
  readonly description: string

  /** Hands the message to one recipient. Resolve only when the message would survive a power cut, or when somebody else has taken
   *  responsibility for it: popfetch may delete it from the server then. What is resolved must be a receipt; anything else is an
   *  answer that was lost.
   *
   *  To say that it was not taken, throw what `undelivered` makes. Anything else that is thrown, and a call that has not ended after
   *  `timeoutMs`, leaves in doubt whether the message arrived. Doubt keeps the mail: the message is offered again, and without
   *  `idempotent` it is held after the third such attempt, for a person to look at.
   *
   *  `signal` is aborted when nobody waits for the outcome any more: after `timeoutMs`, or because popfetch ends. */
  deliver(attempt: OwnAttempt, message: OwnMessage, signal: AbortSignal): Promise<OwnReceipt>

  /** A second attempt with the same `attempt.key` has no effect where the first one arrived. Then no message is ever there twice, and
   *  none is held because answers were lost. Default: false. */
  readonly idempotent?: boolean

  /** One delivery for each of these; `{account}`, `{recipient}`, `{local}` and `{domain}` may be in them. Default: none, which is
   *  one delivery for the recipient ''. */
  readonly recipients?: readonly string[]

  /** Is the destination there at all? Called before messages are fetched for it; a rejection keeps them on the server. Default: it is. */
  ready?(signal: AbortSignal): Promise<void>

  /** What became of an earlier attempt that was cut off: its receipt, or null if it certainly did not arrive. Only asked where
   *  it is there; without it and without `idempotent` such an attempt may have arrived. */
  recall?(attempt: OwnAttempt, signal: AbortSignal): Promise<OwnReceipt | null>

  /** This many deliveries at once, 1 to 1,000. Default: 4. */
  readonly concurrency?: number

  /** How long one call may take, in milliseconds: 1,000 to 86,400,000. Default: 300,000 (5 minutes). */
  readonly timeoutMs?: number
}

/** A destination with all that its author left to the defaults. */
export class DefinedDestination {
  readonly own: OwnDestination
  readonly description: string
  readonly recipients: readonly string[]
  readonly idempotent: boolean
  readonly concurrency: number
  readonly timeoutMs: number
  /** Of all who use it: it has as many deliveries at once as it was made for, whatever configurations name it. */
  readonly slots: Slots

  /** Throws ERR_USAGE, which says what is wrong. */
  constructor(own: OwnDestination) {
    if (!isObject(own)) throw wrong('an object with description and deliver')
    const { description, recipients = [], idempotent = false, concurrency = 4, timeoutMs = 300_000 } = own
    if (typeof description !== 'string' || description === '' || description.length > 200)
      throw wrong('a description of 1 to 200 characters')
    if (typeof own.deliver !== 'function') throw wrong('deliver, a function')
    for (const name of ['ready', 'recall'] as const) {
      if (own[name] !== undefined && typeof own[name] !== 'function') throw wrong(`${name}, if it is there, a function`)
    }
    if (
      !Array.isArray(recipients) ||
      recipients.some((one) => typeof one !== 'string' || !/^[^\p{Cc}]{1,320}$/u.test(one))
    )
      throw wrong('recipients as a list of texts without control characters')
    if (new Set(recipients).size < recipients.length) throw wrong('every recipient once')
    if (typeof idempotent !== 'boolean') throw wrong('idempotent as true or false')
    if (!isWithin(concurrency, 1, 1000)) throw wrong('concurrency as a whole number from 1 to 1000')
    if (!isWithin(timeoutMs, 1000, 86_400_000)) throw wrong('timeoutMs as a whole number from 1000 to 86400000')
    this.own = own
    this.description = description
    this.recipients = [...recipients]
    this.idempotent = idempotent
    this.concurrency = concurrency
    this.timeoutMs = timeoutMs
    this.slots = new Slots(concurrency)
  }
}

/** A destination of your own, for `destinations` of `createPoller`. Throws ERR_USAGE when a member is missing or wrong. */
export function defineDestination(own: OwnDestination): DefinedDestination {
  return new DefinedDestination(own)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function isWithin(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most
}

function wrong(expected: string): PopfetchError {
  return new PopfetchError('ERR_USAGE', `defineDestination: expected ${expected}`, { scope: 'process', retry: 'never' })
}
