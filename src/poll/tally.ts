// Counts while a poll runs, and makes the report at its end. Only counts: what a count means is decided elsewhere.
import type { PopfetchError } from '../errors.ts'
import {
  type AccountReport,
  type MessageProblem,
  type Observer,
  type PlannedMessage,
  type PollOutcome,
  type Progress,
  reportError,
} from './report.ts'

const PROBLEMS_KEPT = 100

export class Tally {
  listed = 0
  new = 0
  delivered = 0
  deferred = 0
  refused = 0
  held = 0
  possibleDuplicates = 0
  deleted = 0
  skipped = 0
  bytes = 0
  plan: readonly PlannedMessage[] = []
  totalMessages = 0
  totalBytes = 0
  readonly #account: string
  readonly #observer: Observer
  readonly #nowMs: () => number
  readonly #startMs: number
  readonly #problems: MessageProblem[] = []
  #error: PopfetchError | null = null
  #seen = false
  #stage: Progress['stage'] = 'connecting'

  constructor(account: string, observer: Observer, nowMs: () => number) {
    this.#account = account
    this.#observer = observer
    this.#nowMs = nowMs
    this.#startMs = nowMs()
  }

  /** What the listing showed. Where a poll takes several sessions, the first one counts. */
  see(plan: { readonly listed: number; readonly new: number; readonly skipped: number }): void {
    if (this.#seen) return
    this.#seen = true
    this.listed = plan.listed
    this.new = plan.new
    this.skipped = plan.skipped
  }

  /** `jobs` are to be fetched. */
  begin(jobs: readonly { readonly sizeBytes: number | null }[]): void {
    this.totalMessages += jobs.length
    this.totalBytes += jobs.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
    this.stage('fetching')
  }

  stage(stage: Progress['stage']): void {
    this.#stage = stage
    this.progress()
  }

  progress(): void {
    this.#observer.progress(this.#account, {
      stage: this.#stage,
      messages: this.delivered + this.deferred + this.refused,
      totalMessages: this.totalMessages,
      bytes: this.bytes,
      totalBytes: this.totalBytes,
    })
  }

  /** Some bytes of a message came. */
  received(bytes: number): void {
    this.bytes += bytes
    this.progress()
  }

  note(text: string): void {
    this.#observer.note(this.#account, text)
  }

  problem(problem: MessageProblem): void {
    if (this.#problems.length < PROBLEMS_KEPT) this.#problems.push(problem)
  }

  get error(): PopfetchError | null {
    return this.#error
  }

  /** Notes what ended the poll; the first reason stays. */
  fail(error: PopfetchError): void {
    this.#error ??= error
  }

  /** The report of a poll that was not tried, since another popfetch is at work on the account. */
  busy(): AccountReport {
    return { ...this.report(), outcome: 'busy' }
  }

  /** The report of a poll that was not tried; `error` is the last failure, if there was one. */
  paused(error: AccountReport['error']): AccountReport {
    return { ...this.report(), outcome: 'paused', error }
  }

  report(): AccountReport {
    return {
      account: this.#account,
      outcome: this.#finalOutcome(),
      listed: this.listed,
      new: this.new,
      delivered: this.delivered,
      deferred: this.deferred,
      refused: this.refused,
      held: this.held,
      possibleDuplicates: this.possibleDuplicates,
      deleted: this.deleted,
      skipped: this.skipped,
      bytes: this.bytes,
      durationMs: Math.max(0, Math.round(this.#nowMs() - this.#startMs)),
      error: this.#error === null ? null : reportError(this.#error),
      problems: this.#problems,
      plan: this.plan,
    }
  }

  #finalOutcome(): PollOutcome {
    if (this.#error !== null) return 'failed'
    return this.deferred + this.refused + this.held > 0 ? 'partial' : 'ok'
  }
}
