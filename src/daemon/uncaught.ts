// What is thrown past every promise (a listener of a socket, a timer, a promise that nobody awaits) and whose it is. Of one
// account's poll: that poll is ended, the others go on (N005). Of nobody, or too often: the process must end.
import { accountAtWork } from '../poll/poller.ts'
import type { Scheduler } from './schedule/scheduler.ts'

/** With more of them within an hour nobody knows what state the process is in; started again, it is in a good one. */
const MOST = 20
const WITHIN_MS = 3_600_000

export class Containment {
  readonly #scheduler: Pick<Scheduler, 'thrown'>
  readonly #nowMs: () => number
  #atMs: readonly number[] = []

  constructor(scheduler: Pick<Scheduler, 'thrown'>, nowMs: () => number) {
    this.#scheduler = scheduler
    this.#nowMs = nowMs
  }

  /** Called where it came up. True: it is dealt with; the poll is reported as failed. */
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
