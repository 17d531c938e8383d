// A clock that a test moves, a ledger's memory of health, and accounts: what the scheduler's tests share.
import type { Account } from '../../src/config/schema.ts'
import type { Clock } from '../../src/daemon/schedule/clock.ts'
import { Scheduler, type PollEnded } from '../../src/daemon/schedule/scheduler.ts'
import type { AccountHealth, AccountRecord } from '../../src/ledger/ledger.ts'
import type { Unclaimed } from '../../src/poll/poller.ts'
import type { AccountReport } from '../../src/poll/report.ts'
import { accountReport } from '../cli/reports.ts'

export const START_MS = Date.UTC(2026, 10, 24)
export const MINUTE = 60_000

export const tick = () => new Promise<void>((next) => setImmediate(next))

/** Time that passes when a test says so. */
export class FakeClock implements Clock {
  #nowMs = START_MS
  #elapsedMs = 1000
  readonly #timers = new Set<{ readonly atMs: number; readonly act: () => void }>()
  /** The longest sleep that was asked for. */
  longestMs = 0

  readonly nowMs = (): number => this.#nowMs
  readonly elapsedMs = (): number => this.#elapsedMs
  readonly after = (delayMs: number, act: () => void): (() => void) => {
    const timer = { atMs: this.#elapsedMs + delayMs, act }
    this.longestMs = Math.max(this.longestMs, delayMs)
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Lets time pass; timers act when they are due, and what they begin gets its turns. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs)
      if (next === undefined || next.atMs > untilMs) break
      this.#move(Math.max(0, next.atMs - this.#elapsedMs))
      this.#timers.delete(next)
      next.act()
      for (let turns = 0; turns < 5; turns++) await tick()
    }
    this.#move(Math.max(0, untilMs - this.#elapsedMs))
    await tick()
  }

  /** The machine sleeps: people's clock goes on, the other does not. */
  sleep(ms: number): void {
    this.#nowMs += ms
  }

  /** The process is stopped: both clocks go on, no timer acts. */
  freeze(ms: number): void {
    this.#move(ms)
  }

  #move(ms: number): void {
    this.#nowMs += ms
    this.#elapsedMs += ms
  }
}

export function account(name: string, intervalMs = 5 * MINUTE, maxMs = intervalMs): Account {
  return {
    name,
    host: 'pop.example.net',
    port: 995,
    user: name,
    timeoutMs: MINUTE,
    poll: { minMs: intervalMs, maxMs },
  } as Account
}

export interface Begun {
  readonly account: string
  readonly atMs: number
  readonly eager: boolean
  readonly urgency: string
}

/** A scheduler in a world where polls take no time, or as long as a test says. */
export class World implements AsyncDisposable {
  readonly clock: FakeClock
  readonly begun: Begun[] = []
  readonly ended: PollEnded[] = []
  readonly health = new Map<string, AccountHealth>()
  /** What a poll gives; may be changed at any time. */
  poll: (name: string) => Promise<AccountReport> | AccountReport = (name) => accountReport({ account: name })
  /** Why an account is not given; null: it is. */
  claim: (name: string, dueWithinMs: number | null) => Unclaimed | null = () => null
  /** Resolves when there is room for the account. */
  place: (name: string) => Promise<void> = () => Promise.resolve()
  told: (name: string, dueAgainMs: number) => void = () => {}
  /** What the ledger was told of the next poll. */
  readonly scheduled = new Map<string, number | null>()
  readonly woken = new Set<string>()
  isAlone = true
  interrupted: (string | null)[] = []
  random: number | (() => number) = 0.5
  broken = false
  readonly scheduler: Scheduler

  constructor(clock = new FakeClock()) {
    this.clock = clock
    this.scheduler = new Scheduler({
      clock: this.clock,
      random: () => (typeof this.random === 'number' ? this.random : this.random()),
      isAlone: () => Promise.resolve(this.isAlone),
      ended: (ended) => void this.ended.push(ended),
      poller: {
        pollAsPlanned: async ({ name }, _, urgency, planning) => {
          await this.place(name)
          const unclaimed = this.claim(name, planning.dueWithinMs())
          if (unclaimed !== null) return unclaimed
          const eager = planning.begins(this.woken.delete(name), record(name, this.health.get(name) ?? healthy))
          this.begun.push({ account: name, atMs: this.clock.elapsedMs() - 1000, eager, urgency })
          const report = await this.poll(name)
          const dueAgainMs = await planning.dueAgainMs(report, null)
          this.scheduled.set(name, dueAgainMs)
          if (dueAgainMs !== null) this.told(name, dueAgainMs)
          return report
        },
        interrupt: (only) => void this.interrupted.push(only ?? null),
      },
      ledger: {
        accounts: () =>
          this.broken
            ? Promise.reject(new Error('broken'))
            : Promise.resolve([...this.health].map(([name, health]) => record(name, health))),
        account: (name) => Promise.resolve(record(name, this.health.get(name) ?? healthy)),
      },
    })
  }

  /** When polls of this account began, in minutes since the start, to the half second. */
  minutes(name: string): number[] {
    return this.begun.filter((poll) => poll.account === name).map(({ atMs }) => Math.round(atMs / 500) / 120)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scheduler[Symbol.asyncDispose]()
  }
}

export const healthy: AccountHealth = {
  lastPollMs: null,
  lastSuccessMs: null,
  failures: 0,
  refusals: 0,
  secretMark: null,
  pausedUntilMs: 0,
  error: null,
}

export function failing(failures: number, facts: Partial<AccountHealth> = {}): AccountHealth {
  const error = { code: 'ERR_CONNECT', message: 'no route', retry: 'soon' } as const
  return { ...healthy, lastPollMs: START_MS, failures, error, ...facts }
}

function record(name: string, health: AccountHealth): AccountRecord {
  const identity = { host: 'pop.example.net', port: 995, user: name }
  return { name, identity, started: true, known: 0, told: null, facts: {}, takingOver: null, mark: null, ...health }
}

/** A poll that a test ends. */
export function held(): { readonly poll: Promise<AccountReport>; end(facts?: Partial<AccountReport>): void } {
  const { promise, resolve } = Promise.withResolvers<AccountReport>()
  return { poll: promise, end: (facts = {}) => resolve(accountReport(facts)) }
}
