// A destination of an embedding program (definition.ts) as one that keeps the contract (destination.ts), whatever that program
// does. It may throw, never end, answer nonsense, change what it was given, or go on after nobody waits for it. One rule: only a
// receipt is a delivery. Whatever else comes back leaves in doubt whether the message arrived, unless its author says otherwise
// (undelivered.ts); where a second attempt does no harm, doubt is a failure like any other.
import { hash } from 'node:crypto'
import { display } from '../../display.ts'
import { asPopfetchError, type Conclusion, DeliveryError, factsOf } from '../../errors.ts'
import type { Message } from '../../message.ts'
import { concluded } from '../answers/conclusions.ts'
import {
  type Attempt,
  type Destination,
  PROBE_MS,
  type Probed,
  type Receipt,
  RECEIPT_LENGTH,
  receiptOf,
  type Recollection,
} from '../destination.ts'
import { within } from '../disk/time-limit.ts'
import { messageKey } from '../message-key.ts'
import type { DefinedDestination, OwnAttempt } from './definition.ts'
import { ownMessage } from './message.ts'

export interface OwnSettings {
  /** As in the configuration. */
  readonly name: string
  readonly defined: DefinedDestination
  /** With an account filled in. */
  readonly recipients: readonly string[]
  /** How long one call may take. */
  readonly timeoutMs: number
}

const TEXT_LENGTH = 1000
const DISPOSE_LIMIT_MS = 5000

export function openOwn(settings: OwnSettings): Destination {
  return new Own(settings)
}

class Own implements Destination {
  readonly description: string
  readonly recipients: readonly string[]
  readonly spool = null
  readonly remembers: boolean
  readonly letsGo = true
  readonly #name: string
  readonly #defined: DefinedDestination
  readonly #timeoutMs: number
  /** Calls that have not ended, also those that nobody waits for any more. */
  readonly #calls = new Set<Promise<unknown>>()

  constructor({ name, defined, recipients, timeoutMs }: OwnSettings) {
    this.#name = name
    this.#defined = defined
    this.#timeoutMs = timeoutMs
    this.description = display(defined.description)
    this.recipients = recipients.length === 0 ? [''] : recipients
    this.remembers = defined.idempotent || defined.own.recall !== undefined
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#ask('ready', this.#timeoutMs, signal, async (stop) => await this.#defined.own.ready?.(stop))
  }

  async probe(signal: AbortSignal): Promise<Probed> {
    const limitMs = Math.min(this.#timeoutMs, PROBE_MS)
    await this.#ask('ready', limitMs, signal, async (stop) => await this.#defined.own.ready?.(stop))
    return { tls: null, findings: [], warnings: [] }
  }

  async recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null> {
    const { own } = this.#defined
    if (own.recall === undefined) return null
    const found = await this.#ask('recall', this.#timeoutMs, signal, async (stop) => {
      return await own.recall?.(this.#attempt(attempt), stop)
    })
    if (found === null) return null
    const text = receiptText(found)
    // Then nothing is certain, least of all that the message did not arrive.
    if (text === null) throw this.#failed('DOWN', 'recall: it gave neither a receipt nor null')
    return { ...receiptOf(text), received: null }
  }

  census(): Promise<null> {
    return Promise.resolve(null)
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    const free = await this.#turn(signal)
    let isOver = false
    try {
      if (!this.remembers) await handedOver(attempt, free)
      const own = ownMessage(message, () => isOver)
      const given = await this.#call(this.#timeoutMs, signal, free, async (stop) => {
        return await this.#defined.own.deliver(this.#attempt(attempt), own, stop)
      }).catch((thrown: unknown) => {
        throw this.#undelivered(thrown, signal)
      })
      const text = receiptText(given)
      if (text === null) throw this.#failed(this.#doubt, 'deliver: it gave no receipt, { text } with some text')
      return receiptOf(text)
    } finally {
      isOver = true
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What hangs was given up by its caller. Its author closes whatever it has opened.
    const limitMs = Math.min(this.#timeoutMs, DISPOSE_LIMIT_MS)
    await within(Promise.allSettled(this.#calls), limitMs).catch(() => {})
  }

  /** Resolves with what gives the turn back. A call that nobody waits for keeps its turn until it ends: however often it
   *  hangs, no more than `concurrency` of them hang at once. */
  async #turn(signal: AbortSignal): Promise<() => void> {
    const { slots, concurrency } = this.#defined
    const limit = AbortSignal.timeout(this.#timeoutMs)
    try {
      return await slots.take(AbortSignal.any([signal, limit]))
    } catch (cause) {
      if (signal.aborted)
        throw this.#failed('TEMP', 'stopped before it was called: it will be tried again', cause, false)
      const seconds = Math.round(this.#timeoutMs / 1000)
      throw this.#failed(
        'BUSY',
        `deliver: ${concurrency} calls have not ended, and none did within ${seconds} s`,
        cause,
      )
    }
  }

  /** What `act` gives, until the limit or the signal; then `act` is told to stop, and whatever it does counts no more. `ended` is called
   *  when it has ended all the same. */
  async #call<T>(
    limitMs: number,
    signal: AbortSignal,
    ended: () => void,
    act: (stop: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const stop = new AbortController()
    // Nobody who is given a signal hears of it after the end of the call: `signal` lives as long as the process.
    const onAbort = (): void => stop.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const work = act(stop.signal)
      this.#calls.add(work)
      const over = (): void => {
        this.#calls.delete(work)
        ended()
      }
      void work.then(over, over)
      return await within(work, limitMs, signal)
    } finally {
      signal.removeEventListener('abort', onAbort)
      stop.abort()
    }
  }

  /** As `ready` and `recall` are asked: whatever fails is the destination's. */
  async #ask<T>(
    what: string,
    limitMs: number,
    signal: AbortSignal,
    act: (stop: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#call(limitMs, signal, () => {}, act)
    } catch (thrown) {
      const { pauseMs } = asPopfetchError(thrown, 'destination')
      throw this.#failed('DOWN', `${what}: ${wordsOf(thrown)}`, thrown, true, pauseMs)
    }
  }

  /** What it means that a call of `deliver` gave no receipt. */
  #undelivered(thrown: unknown, signal: AbortSignal): DeliveryError {
    if (!(thrown instanceof DeliveryError)) {
      const stopped = signal.aborted ? 'stopped before it had answered' : wordsOf(thrown)
      return this.#failed(this.#doubt, `deliver: ${stopped}`, thrown, !signal.aborted)
    }
    if (thrown.conclusion === 'LOST') return this.#failed(this.#doubt, wordsOf(thrown), thrown)
    return new DeliveryError(`${this.description}: ${wordsOf(thrown)}`, { ...factsOf(thrown), cause: thrown })
  }

  /** What follows where nobody knows whether the message arrived. */
  get #doubt(): Conclusion {
    return this.#defined.idempotent ? 'TEMP' : 'LOST'
  }

  #failed(conclusion: Conclusion, text: string, cause?: unknown, counts = true, pauseMs = 0): DeliveryError {
    const facts = concluded(conclusion, 'own', { pauseMs, ...(counts ? {} : { counts }) })
    return new DeliveryError(`${this.description}: ${text}`, { ...facts, step: 'own', cause })
  }

  #attempt({ intent, origin, recipient }: Attempt): OwnAttempt {
    const key = hash('sha256', `${messageKey(origin)}\0${this.#name}\0${recipient}`, 'hex').slice(0, 32)
    return Object.freeze({ key, intent, origin: Object.freeze({ ...origin }), recipient })
  }
}

/** Nothing was called where this rejects. */
async function handedOver({ handingOver }: Attempt, free: () => void): Promise<void> {
  try {
    await handingOver?.()
  } catch (error) {
    free()
    throw error
  }
}

/** Null: it is not one. */
function receiptText(given: unknown): string | null {
  if (typeof given !== 'object' || given === null || !('text' in given)) return null
  const { text } = given
  return typeof text !== 'string' || text === '' ? null : display(text, RECEIPT_LENGTH)
}

function wordsOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return display(text === '' ? 'it failed without a word' : text, TEXT_LENGTH)
}
