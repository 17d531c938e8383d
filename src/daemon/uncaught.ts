// Errors that no promise catches: thrown by a listener of a socket or a timer, or in a promise that nobody awaits. If one comes
// from the poll of one account, that poll is ended and the others go on (N005, uncaught exception). If it comes from nowhere,
// or if there are too many, the process must end.
import { accountAtWork } from '../poll/poller.ts'
import type { Scheduler } from './schedule/scheduler.ts'

/** After more than these in an hour the state of the process cannot be trusted; a new process has a good one. */
const MOST = 20
const WITHIN_MS = 3_600_000

export class Uncaught {
  readonly #scheduler: Pick<Scheduler, 'thrown'>
  readonly #nowMs: () => number
  #atMs: readonly number[] = []

  constructor(scheduler: Pick<Scheduler, 'thrown'>, nowMs: () => number) {
    this.#scheduler = scheduler
    this.#nowMs = nowMs
  }

  /** To be called in the very turn in which the error was thrown: by that the account is known. True: the error is dealt with, and
   *  the poll is reported as failed. False: the process must end. */
  contain(thrown: unknown): boolean {
    const account = accountAtWork()
    const nowMs = this.#nowMs()
    this.#atMs = this.#atMs.filter((atMs) => nowMs - atMs < WITHIN_MS)
    if (account === null || this.#atMs.length >= MOST) return false
    this.#atMs = [...this.#atMs, nowMs]
    this.#scheduler.thrown(account, thrown)
    return true
  }
}
