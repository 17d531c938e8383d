// What the background process logs about polls (N034, noise): one line for a poll that did something, one when an account
// begins to fail, fails in another way or works again, and a reminder each day. All else is `debug`.
import type { Log } from '../log.ts'
import type { AccountReport } from '../poll/report.ts'
import type { PollEnded } from './schedule/scheduler.ts'

const REMINDER_MS = 24 * 3_600_000

/** The words of network failures differ from poll to poll, but they are one state. */
const NETWORK: ReadonlySet<string> = new Set(['ERR_CONNECT', 'ERR_TIMEOUT', 'ERR_POP3_REPLY'])

interface Failing {
  readonly kind: string
  readonly toldMs: number
}

export class Journal {
  readonly #log: Log
  readonly #nowMs: () => number
  readonly #failing = new Map<string, Failing>()

  constructor(log: Log, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  ended({ report, health, thrown }: PollEnded): void {
    const { account, error, outcome } = report
    const facts = { account, outcome, ...countsOf(report), durationMs: report.durationMs }
    if (didSomething(report)) this.#log.info('polled', facts)
    else this.#log.debug('polled', facts)
    for (const { uidl, kind, reason } of report.problems) {
      if (kind !== 'deferred' || error === null) this.#log.warn(reason, { account, kind, uidl })
    }
    if (thrown !== null) this.#log.error(stackOf(thrown), { account, error: 'ERR_BUG' })
    // Neither says anything about the account's health.
    if (outcome === 'busy' || error?.code === 'ERR_ABORTED') return
    if (error !== null) this.#failed(account, error, health?.failures ?? null)
    else if (outcome !== 'paused' && this.#failing.delete(account)) this.#log.info('works again', { account })
  }

  #failed(account: string, error: NonNullable<AccountReport['error']>, failures: number | null): void {
    const kind = NETWORK.has(error.code) ? 'network' : error.code
    const before = this.#failing.get(account)
    const nowMs = this.#nowMs()
    const facts = { account, error: error.code, failures }
    const told = before?.kind === kind && nowMs >= before.toldMs && nowMs - before.toldMs < REMINDER_MS
    if (told) {
      this.#log.debug(error.message, facts)
      return
    }
    this.#failing.set(account, { kind, toldMs: nowMs })
    this.#log.error(error.message, facts)
  }
}

function didSomething(report: AccountReport): boolean {
  return Object.values(countsOf(report)).some((count) => count > 0)
}

function countsOf({ delivered, deferred, refused, held, possibleDuplicates, deleted, bytes }: AccountReport) {
  return { delivered, deferred, refused, held, possibleDuplicates, deleted, bytes }
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
}
