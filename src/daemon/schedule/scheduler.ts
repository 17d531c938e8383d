// When each account is polled: at its own interval, counted from the end of a poll, spread and jittered. Never twice at once,
// and later where the ledger remembers failures. How a poll is done, and how many run at once, is poll/poller.ts. One rule:
// nothing that one account does or throws delays another.
import { sameConfiguration } from '../../config/values/secret.ts'
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, PopfetchError } from '../../errors.ts'
import type { AccountHealth, AccountRecord, Ledger } from '../../ledger/ledger.ts'
import type { Poller } from '../../poll/poller.ts'
import type { AccountReport } from '../../poll/report.ts'
import { Tally } from '../../poll/tally.ts'
import type { Planned } from '../../status/status.ts'
import { Appointment, type Asker, type Moment } from './appointment.ts'
import { type Clock, GapWatch } from './clock.ts'

/** No timer runs for longer: so a machine that slept is noticed, and no timer overflows (S033). */
const SEGMENT_MS = 15_000
/** Accounts that are due within this of each other begin together. */
const GRAIN_MS = 10

export interface SchedulerContext {
  readonly poller: Pick<Poller, 'poll' | 'interrupt'>
  readonly ledger: Pick<Ledger, 'accounts' | 'account'>
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** Called after each poll. Must not throw. */
  readonly ended: (ended: PollEnded) => void
}

export interface PollEnded {
  readonly account: Account
  readonly report: AccountReport
  /** Null: it could not be read, or nothing is recorded. */
  readonly health: AccountHealth | null
  /** How much later than planned the poll began. */
  readonly lateMs: number
  /** An error that no promise caught; null: none. */
  readonly thrown: unknown
}

const OPTIONS = { dryRun: false, limit: null, all: false, acceptNewIds: false, markSeen: false, yes: false } as const

/** Disposing of it begins no more polls and waits for those that run. */
export class Scheduler implements AsyncDisposable {
  readonly #context: SchedulerContext
  readonly #appointments = new Map<string, Appointment>()
  readonly #running = new Set<Promise<void>>()
  readonly #gaps: GapWatch
  #callOff: () => void = () => {}
  #stopped = false

  constructor(context: SchedulerContext) {
    this.#context = context
    this.#gaps = new GapWatch(context.clock, SEGMENT_MS)
  }

  /** From now on polls these accounts and no others. Those that are new or changed are polled soon; of those that are left out a
   *  poll that runs is the last. Rejects with ERR_LEDGER, and then has changed nothing. */
  async schedule(accounts: readonly Account[]): Promise<void> {
    const records = await this.#records()
    const wanted = new Set(accounts.map(({ name }) => name))
    for (const [name, gone] of this.#appointments) {
      if (wanted.has(name)) continue
      this.#appointments.delete(name)
      for (const asker of gone.askers.splice(0)) asker.reject(unknownAccount(name))
    }
    for (const account of accounts) {
      const before = this.#appointments.get(account.name)
      const appointment = before ?? new Appointment(account, this.#elapsedMs)
      const changed = before === undefined || !sameConfiguration(before.account, account)
      this.#appointments.set(account.name, appointment)
      appointment.change(account)
      if (changed && (before === undefined || before.dueMs !== null)) this.#plan(appointment, records)
    }
    this.#arm()
  }

  /** Polls these accounts now. One that is being polled is polled once more, because it may have listed before the mail came.
   *  A promise for each, in the order of `names`. */
  wake(names: readonly string[], eager: boolean): readonly Promise<AccountReport>[] {
    const polls = names.map((name) => {
      const { promise, resolve, reject } = Promise.withResolvers<AccountReport>()
      const appointment = this.#appointments.get(name)
      if (this.#stopped) reject(stopping())
      else if (appointment === undefined) reject(unknownAccount(name))
      else {
        appointment.askers.push({ eager, resolve, reject })
        if (appointment.dueMs !== null) appointment.dueMs = this.#elapsedMs
      }
      return promise
    })
    this.#arm()
    return polls
  }

  /** All accounts, in the order of the configuration. */
  get plan(): readonly Planned[] {
    const nowMs = this.#context.clock.nowMs()
    const elapsedMs = this.#elapsedMs
    return [...this.#appointments.values()].map((appointment) => ({
      account: appointment.account.name,
      polling: appointment.dueMs === null,
      nextPollMs: appointment.dueMs === null ? null : Math.round(nowMs + Math.max(0, appointment.dueMs - elapsedMs)),
      overdue: appointment.isOverdue(elapsedMs),
    }))
  }

  /** A sign of life of an account's poll. */
  heard(name: string): void {
    const appointment = this.#appointments.get(name)
    if (appointment !== undefined) appointment.heardMs = this.#elapsedMs
  }

  /** An error that no promise caught came from the poll of this account: the poll is ended and counts as failed. */
  thrown(name: string, error: unknown): void {
    const appointment = this.#appointments.get(name)
    if (appointment !== undefined && appointment.dueMs === null) appointment.bug = error
    this.#context.poller.interrupt(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#callOff()
    for (const { askers } of this.#appointments.values()) {
      for (const asker of askers.splice(0)) asker.reject(stopping())
    }
    await Promise.all(this.#running)
  }

  get #elapsedMs(): number {
    return this.#context.clock.elapsedMs()
  }

  get #moment(): Moment {
    return { nowMs: this.#context.clock.nowMs(), elapsedMs: this.#elapsedMs }
  }

  async #records(): Promise<ReadonlyMap<string, AccountRecord>> {
    return new Map((await this.#context.ledger.accounts()).map((record) => [record.name, record]))
  }

  #plan(appointment: Appointment, records: ReadonlyMap<string, AccountRecord>): void {
    appointment.plan(records.get(appointment.account.name) ?? null, this.#moment, this.#context.random())
  }

  /** Sleeps until the next account is due. */
  #arm(): void {
    this.#callOff()
    if (this.#stopped) return
    let nextMs = this.#elapsedMs + SEGMENT_MS
    for (const { dueMs } of this.#appointments.values()) if (dueMs !== null && dueMs < nextMs) nextMs = dueMs
    const sleepMs = Math.max(GRAIN_MS, nextMs - this.#elapsedMs)
    this.#callOff = this.#context.clock.after(sleepMs, () => this.#tick())
  }

  #tick(): void {
    if (this.#gaps.passed()) this.#afterGap()
    const now = this.#elapsedMs
    for (const appointment of this.#appointments.values()) {
      if (appointment.dueMs !== null && appointment.dueMs <= now) this.#begin(appointment, appointment.dueMs)
    }
    this.#arm()
  }

  /** Sessions are dead or will be, and plans were made for another time of day. */
  #afterGap(): void {
    this.#context.poller.interrupt()
    const renewed = this.#records().then((records) => {
      for (const appointment of this.#appointments.values()) {
        if (appointment.dueMs !== null) this.#plan(appointment, records)
      }
      this.#arm()
    })
    // Without the ledger the old plan stands.
    renewed.catch(() => {})
  }

  #begin(appointment: Appointment, dueMs: number): void {
    appointment.dueMs = null
    appointment.heardMs = this.#elapsedMs
    const poll = this.#poll(appointment, appointment.askers.splice(0), dueMs).finally(() => {
      this.#running.delete(poll)
      this.#arm()
    })
    this.#running.add(poll)
  }

  /** Never rejects: an error of one account's poll ends here. */
  async #poll(appointment: Appointment, askers: readonly Asker[], dueMs: number): Promise<void> {
    const { poller, random, ended } = this.#context
    const { account } = appointment
    const eager = askers.some((asker) => asker.eager)
    let report: AccountReport
    try {
      report = await poller.poll(account, { ...OPTIONS, eager }, askers.length > 0 ? 'now' : 'usual')
    } catch (error) {
      appointment.bug ??= error
      report = failed(account, asPopfetchError(error))
    }
    const thrown = appointment.bug
    appointment.bug = null
    // A poll that threw has recorded nothing.
    const health = thrown === null ? await this.#health(account) : null
    appointment.again(report, health, this.#moment, random())
    if (appointment.askers.length > 0) appointment.dueMs = this.#elapsedMs
    const lateMs = Math.max(0, this.#elapsedMs - report.durationMs - dueMs)
    ended({ account, report, health, lateMs, thrown })
    for (const asker of askers) asker.resolve(report)
  }

  async #health({ name }: Account): Promise<AccountHealth | null> {
    try {
      return await this.#context.ledger.account(name)
    } catch {
      // The next poll meets the same trouble and reports it.
      return null
    }
  }
}

function failed({ name }: Account, error: PopfetchError): AccountReport {
  const tally = new Tally(name, { progress: () => {}, note: () => {} }, () => 0)
  tally.fail(error)
  return tally.report()
}

function stopping(): PopfetchError {
  return new PopfetchError('ERR_ABORTED', 'the daemon is stopping', { scope: 'process', retry: 'soon' })
}

function unknownAccount(name: string): PopfetchError {
  return new PopfetchError('ERR_USAGE', `the daemon does not poll ${name}: reload it if it is new`, {
    scope: 'process',
    retry: 'never',
  })
}
