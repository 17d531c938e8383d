// What the daemon logs about polls (N034, noise). One line for a poll that did something. One when an account
// begins to fail, fails in another way or works again. One when the accounts of a server are late. A reminder each day. A ledger that cannot be used is one trouble, not one
// of each account. All else is `debug`.
import type { Log } from '../log.ts'
import type { AccountReport, MessageProblem } from '../poll/report.ts'
import type { MissedPolls } from '../status/remembered/missed.ts'
import { Lateness } from './schedule/lateness.ts'
import type { PollEnded } from './schedule/scheduler.ts'

const REMINDER_MS = 24 * 3_600_000

/** The words of network failures differ from poll to poll, but they are one state. */
const NETWORK: ReadonlySet<string> = new Set(['ERR_CONNECT', 'ERR_TIMEOUT', 'ERR_POP3_REPLY'])

/** What a server may make us remember is bounded. */
const MOST_REMEMBERED = 10_000

interface Failing {
  readonly kind: string
  readonly toldMs: number
}

export class Journal {
  readonly lateness: Lateness
  readonly #log: Log
  readonly #nowMs: () => number
  readonly #missed: (missed: MissedPolls) => void
  readonly #failing = new Map<string, Failing>()
  /** The ledger cannot be used: since when, and what could not be polled; null: it can. */
  #ledger: { readonly sinceMs: number; readonly toldMs: number; polls: number; readonly accounts: Set<string> } | null =
    null
  /** When a message was told to be deferred. */
  readonly #deferred = new Map<string, number>()

  /** `missed` is called once the ledger can be used again. */
  constructor(log: Log, nowMs: () => number, missed: (missed: MissedPolls) => void = () => {}) {
    this.#log = log
    this.#nowMs = nowMs
    this.#missed = missed
    this.lateness = new Lateness(log, nowMs)
  }

  ended(ended: PollEnded): void {
    const { report, health, thrown } = ended
    this.lateness.ended(ended)
    const { account, error, outcome } = report
    const facts = { account, outcome, ...countsOf(report), durationMs: report.durationMs }
    if (didSomething(report)) this.#log.info('polled', facts)
    else this.#log.debug('polled', facts)
    for (const problem of report.problems) {
      const { uidl, kind, reason, from = null, subject = null, destination = null, recipient = null } = problem
      if (kind === 'deferred' && error !== null) continue
      const about = { account, kind, uidl, from, subject, destination, recipient }
      if (this.#isNews(account, problem)) this.#log.warn(reason, about)
      else this.#log.debug(reason, about)
    }
    if (thrown !== null) this.#log.error(stackOf(thrown), { account, error: 'ERR_BUG' })
    // Neither says anything about the account's health.
    if (outcome === 'busy' || error?.code === 'ERR_ABORTED') return
    if (error?.ofLedger === true) return this.#ledgerFailed(account, error)
    this.#ledgerWorks()
    if (error !== null) this.#failed(account, error, health?.failures ?? null)
    else if (outcome !== 'paused' && this.#failing.delete(account)) this.#log.info('works again', { account })
  }

  /** A message that is deferred again and again is told when that begins, and once a day (N043). */
  #isNews(account: string, { uidl, copy = 0, kind, again = false }: MessageProblem): boolean {
    if (kind !== 'deferred') return true
    const name = JSON.stringify([account, copy, uidl])
    const toldMs = this.#deferred.get(name)
    const nowMs = this.#nowMs()
    if (again && toldMs !== undefined && nowMs >= toldMs && nowMs - toldMs < REMINDER_MS) return false
    // The oldest goes: it is told once more, at worst.
    for (const oldest of this.#deferred.keys()) {
      if (this.#deferred.size < MOST_REMEMBERED) break
      this.#deferred.delete(oldest)
    }
    this.#deferred.delete(name)
    this.#deferred.set(name, nowMs)
    return true
  }

  #ledgerFailed(account: string, error: NonNullable<AccountReport['error']>): void {
    const nowMs = this.#nowMs()
    const before = this.#ledger
    const isTold = before !== null && nowMs >= before.toldMs && nowMs - before.toldMs < REMINDER_MS
    const { sinceMs = nowMs, polls = 0, accounts = new Set<string>() } = before ?? {}
    this.#ledger = {
      sinceMs,
      toldMs: isTold ? before.toldMs : nowMs,
      polls: polls + 1,
      accounts: accounts.add(account),
    }
    const facts = { account, error: error.code }
    if (isTold) this.#log.debug(error.message, facts)
    else this.#log.error(error.message, facts)
  }

  #ledgerWorks(): void {
    if (this.#ledger === null) return
    const { sinceMs, polls, accounts } = this.#ledger
    this.#ledger = null
    this.#log.info('the ledger can be used again', { failedPolls: polls, accounts: accounts.size })
    this.#missed({ sinceMs, untilMs: this.#nowMs(), polls, accounts: accounts.size })
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

/** What only waits, waits at every poll. */
function didSomething(report: AccountReport): boolean {
  const { deferred: _, ...counts } = countsOf(report)
  return Object.values(counts).some((count) => count > 0)
}

function countsOf({ delivered, deferred, refused, held, possibleDuplicates, deleted, bytes }: AccountReport) {
  return { delivered, deferred, refused, held, possibleDuplicates, deleted, bytes }
}

export function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
}
