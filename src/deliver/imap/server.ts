// The server of an imap destination: work on one of its sessions, and the error of whatever goes wrong there. The rule: what fails
// as a whole takes no further message until somebody has seen that it does again.
import { DeliveryError, errnoOf, PopfetchError } from '../../errors.ts'
import type { Concluded } from '../answers/conclusions.ts'
import { BodyChanged } from '../disk/body.ts'
import { conclude, ImapFailure } from './fault.ts'
import type { ImapSession } from './session.ts'
import { Sessions, type Taken } from './sessions.ts'
import type { ImapConfig, ImapLimits } from './settings.ts'
import { failureText } from './text.ts'

/** Messages whose refusals are kept in mind. */
const MOST_KEPT = 1_000

export class Server implements AsyncDisposable {
  /** The error of every delivery until `restore`; null: it takes mail. */
  broken: DeliveryError | null = null
  readonly #config: ImapConfig
  readonly #sessions: Sessions
  /** How often a message was refused while others were taken. */
  readonly #refused = new Map<string, { times: number; taken: number }>()
  #taken = 0

  constructor(config: ImapConfig, limits: ImapLimits) {
    this.#config = config
    this.#sessions = Sessions.of(config, limits)
  }

  /** It is asked again, over the full number of sessions. */
  restore(): void {
    this.broken = null
    this.#sessions.restore()
  }

  /** The message with this key. */
  wasTaken(key: string): void {
    this.#taken += 1
    this.#refused.delete(key)
  }

  /** `work` with a session, of its own or, for `bytes` of small messages, perhaps with others. Rejects with DeliveryError. `key`: of
   *  the message; null: it is about none, and none is to blame. */
  async with<T>(
    signal: AbortSignal,
    key: string | null,
    work: (session: ImapSession) => Promise<T>,
    bytes: number | null = null,
  ): Promise<T> {
    try {
      return await this.trying(signal, work, bytes)
    } catch (error) {
      throw this.failure(error, key)
    }
  }

  /** The same, but rejects with what was thrown. `work` runs once more on a new session when a kept one turned out to be over before
   *  anything was handed over. */
  async trying<T>(signal: AbortSignal, work: (session: ImapSession) => Promise<T>, bytes: number | null): Promise<T> {
    for (let first = true; ; first = false) {
      let taken: Taken | null = null
      try {
        taken = await this.#sessions.take(signal, bytes)
        return await work(taken.session)
      } catch (error) {
        const isOver =
          error instanceof ImapFailure && !error.handed && taken?.session.alive === false && !signal.aborted
        if (!first || taken?.kept !== true || !isOver) throw error
        this.#sessions.dropIdle()
      } finally {
        if (taken !== null) this.#sessions.release(taken.session)
      }
    }
  }

  /** The error for whatever was thrown. If it is about the destination, that is down from now on. */
  failure(thrown: unknown, key: string | null): Error {
    // Not ours to put into words: of `handingOver`.
    if (thrown instanceof PopfetchError) return thrown
    const failure = thrown instanceof ImapFailure ? thrown : unforeseen(thrown)
    const thirdTime = key !== null && failure.step === 'APPEND' && this.#timesRefused(failure, key) >= 3
    const concludes = conclude(failure, {
      othersOpen: this.#sessions.others > 0 && failure.step !== 'APPEND',
      thirdTime,
    })
    // Where no message was offered, no message is to blame.
    const answer: Concluded = key === null ? { ...concludes, scope: 'destination' } : concludes
    const { step, fault, cause } = failure
    const retry = cause instanceof PopfetchError ? { retry: cause.retry } : {}
    const text = failureText({ description: this.#config.description, peer: this.#config, step, fault, answer })
    const error = new DeliveryError(text, { ...answer, ...retry, step, cause: failure })
    if (answer.scope === 'destination' && answer.conclusion !== 'ROOM' && answer.verdict === 'temporary') {
      this.broken = error
    }
    return error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]()
  }

  #timesRefused({ fault }: ImapFailure, key: string): number {
    if (fault.kind !== 'reply' || fault.status === 'BYE') return 0
    const before = this.#refused.get(key)
    // Nothing was taken between: the server may refuse everything.
    if (before !== undefined && before.taken === this.#taken) return before.times
    const times = (before?.times ?? 0) + 1
    this.#refused.delete(key)
    this.#refused.set(key, { times, taken: this.#taken })
    const [oldest] = this.#refused.keys()
    if (this.#refused.size > MOST_KEPT && oldest !== undefined) this.#refused.delete(oldest)
    return times
  }
}

function unforeseen(thrown: unknown): ImapFailure {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const isSpool = errnoOf(thrown) !== null || thrown instanceof BodyChanged
  return new ImapFailure('APPEND', { kind: isSpool ? 'spool' : 'stopped', text }, { cause: thrown })
}
