// What is counted of each account and destination at the end of its polls: since the start of the process, until it is polled no more. One
// small object an account, for there are ten thousand.
import { type AccountReport, OUTCOMES } from '../../poll/report.ts'
import type { Sample } from './exposition.ts'

const RESULTS = ['delivered', 'deferred', 'refused', 'held', 'possibleDuplicates', 'deleted'] as const
const LABELS = RESULTS.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))

interface Count {
  /** In the order of OUTCOMES. */
  readonly polls: number[]
  /** In the order of RESULTS; null: none yet. */
  results: number[] | null
  bytes: number
  /** By code; null: none yet. */
  failures: Map<string, number> | null
  /** Of the last successful poll; null: there was none. */
  last: { readonly backlog: number; readonly seconds: number } | null
}

export class Counts {
  readonly #accounts = new Map<string, Count>()
  /** Polls in which a destination kept mail back, by destination and code. */
  readonly #kept = new Map<string, Map<string, number>>()

  add({ account, outcome, error, ...report }: AccountReport): void {
    const count = this.#of(account)
    increase(count.polls, OUTCOMES.indexOf(outcome), 1)
    for (const [at, result] of RESULTS.entries())
      if (report[result] > 0) increase((count.results ??= RESULTS.map(() => 0)), at, report[result])
    count.bytes += report.bytes
    if (error !== null && outcome === 'failed') increaseIn((count.failures ??= new Map()), error.code)
    // A destination with several recipients that are in trouble kept mail back once.
    const kept = new Map(report.troubles.map((trouble) => [trouble.destination, trouble.error.code]))
    for (const [destination, code] of kept) {
      const codes = this.#kept.get(destination) ?? new Map<string, number>()
      this.#kept.set(destination, codes)
      increaseIn(codes, code)
    }
    if (outcome !== 'ok' && outcome !== 'partial') return
    const backlog = Math.max(0, report.listed - report.skipped - report.delivered)
    count.last = { backlog, seconds: report.durationMs / 1000 }
  }

  /** An account that is polled no more. */
  forget(account: string): void {
    this.#accounts.delete(account)
  }

  /** Whatever is counted of destinations that are not among these. */
  keepDestinations(names: ReadonlySet<string>): void {
    for (const name of this.#kept.keys()) if (!names.has(name)) this.#kept.delete(name)
  }

  *polls(): Generator<Sample> {
    for (const [account, { polls }] of this.#accounts)
      for (const [at, value] of polls.entries()) if (value > 0) yield [{ account, outcome: OUTCOMES[at] ?? '' }, value]
  }

  *messages(): Generator<Sample> {
    for (const [account, { results }] of this.#accounts)
      for (const [at, value] of (results ?? []).entries())
        if (value > 0) yield [{ account, result: LABELS[at] ?? '' }, value]
  }

  *bytes(): Generator<Sample> {
    for (const [account, { bytes }] of this.#accounts) yield [{ account }, bytes]
  }

  *failures(): Generator<Sample> {
    for (const [account, { failures }] of this.#accounts)
      for (const [code, value] of failures ?? []) yield [{ account, code }, value]
  }

  *backlog(): Generator<Sample> {
    for (const [account, { last }] of this.#accounts) if (last !== null) yield [{ account }, last.backlog]
  }

  *seconds(): Generator<Sample> {
    for (const [account, { last }] of this.#accounts) if (last !== null) yield [{ account }, last.seconds]
  }

  *destinationFailures(): Generator<Sample> {
    for (const [destination, codes] of this.#kept)
      for (const [code, value] of codes) yield [{ destination, code }, value]
  }

  #of(account: string): Count {
    const known = this.#accounts.get(account)
    if (known !== undefined) return known
    const count: Count = { polls: OUTCOMES.map(() => 0), results: null, bytes: 0, failures: null, last: null }
    this.#accounts.set(account, count)
    return count
  }
}

function increase(counts: number[], at: number, by: number): void {
  counts[at] = (counts[at] ?? 0) + by
}

function increaseIn(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
