// When each account is polled: at its own interval, counted from the end of a poll, spread and jittered. Never twice at once,
// and later where the ledger remembers failures. How a poll is done, and how many run at once, is poll/poller.ts. Other processes
// may plan the same accounts by the same ledger: it says who may poll one that is due, and each hears from it when that was done.
// One rule: nothing that one account does or throws delays another.
import { sameConfiguration } from '../../config/values/secret.ts'
import type { Account } from '../../config/schema.ts'
import { asPopfetchError, PopfetchError } from '../../errors.ts'
import type { AccountHealth, AccountRecord, Ledger } from '../../ledger/ledger.ts'
import type { Poller, Unclaimed } from '../../poll/poller.ts'
import type { AccountReport } from '../../poll/report.ts'
import { Tally } from '../../poll/tally.ts'
import type { Planned } from '../../status/status.ts'
import { Appointment, type Moment, spreadMs } from './appointment.ts'
import { type Clock, GapWatch } from './clock.ts'
import { PlannedPoll } from './planned-poll.ts'
import { DueQueue } from './queue.ts'

/** No timer runs for longer: so a machine that slept is noticed, and no timer overflows (S033). */
const SEGMENT_MS = 15_000
/** Accounts that are due within this of each other begin together. */
const GRAIN_MS = 10
/** So soon an account is asked for again that another process has; sooner where somebody waits for it, but only so often. */
const HELD_MS = 5000
const HELD_ASKED_MS = 1000
const HELD_ASKED = 10
/** Accounts that wait for a free place ask for it more often than that. */
const STUCK_MS = 15 * 60_000
/** When one account is due, the processes that plan it ask within so long of each other, so that each gets its part. */
const EARLY_SCATTER_MS = 250

export interface SchedulerContext {
  readonly poller: Pick<Poller, 'pollAsPlanned' | 'interrupt'>
  readonly ledger: Pick<Ledger, 'accounts' | 'account'>
  /** Is no other process planning by this ledger? Then all is polled soon after the start, as people expect. */
  readonly isAlone: () => Promise<boolean>
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
  /** How long until it is due again. */
  readonly waitMs: number
  /** An error that no promise caught; null: none. */
  readonly thrown: unknown
}

const OPTIONS = {
  dryRun: false,
  limit: null,
  all: false,
  acceptNewIds: false,
  markSeen: false,
  yes: false,
  eager: false,
} as const

const NO_RECORDS: ReadonlyMap<string, AccountRecord> = new Map()

/** Are there no more processes that plan polls by this ledger than `known` ones? */
export async function isAlone(ledger: Pick<Ledger, 'workers'>, known: number): Promise<boolean> {
  const workers = await ledger.workers()
  return workers.filter(({ sinceMs }) => sinceMs !== null).length <= known
}

/** Disposing of it begins no more polls and waits for those that run. */
export class Scheduler implements AsyncDisposable {
  readonly #context: SchedulerContext
  readonly #appointments = new Map<string, Appointment>()
  readonly #queue = new DueQueue<Appointment>(() => this.#appointments.size)
  #isAlone = true
  /** Those that are under way. */
  readonly #polling = new Set<PlannedPoll>()
  /** When an account last asked for a place, by the clock that never jumps. */
  #lifeMs = 0
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
    const isNews = (account: Account): boolean => {
      const before = this.#appointments.get(account.name)?.account
      return before === undefined || !sameConfiguration(before, account)
    }
    const news = new Set(accounts.filter(isNews))
    // Of ten thousand accounts they are megabytes.
    const records = news.size === 0 ? NO_RECORDS : await this.#records()
    this.#isAlone = await this.#context.isAlone()
    const wanted = new Set(accounts.map(({ name }) => name))
    for (const [name, gone] of this.#appointments) {
      if (wanted.has(name)) continue
      this.#appointments.delete(name)
      if (gone.dueMs !== null) gone.dueMs = null
      for (const asker of gone.askers.splice(0)) asker.reject(unknownAccount(name))
    }
    const toBePlanned: Appointment[] = []
    for (const account of accounts) {
      const before = this.#appointments.get(account.name)
      const appointment = before ?? new Appointment(account, this.#elapsedMs)
      this.#appointments.set(account.name, appointment)
      appointment.change(account)
      if (news.has(account) && (before === undefined || before.dueMs !== null)) toBePlanned.push(appointment)
    }
    for (const appointment of toBePlanned) this.#plan(appointment, records)
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
        appointment.askers.push({ eager, sinceMs: this.#elapsedMs, resolve, reject })
        if (appointment.dueMs !== null) this.#due(appointment, this.#elapsedMs)
      }
      return promise
    })
    this.#arm()
    return polls
  }

  /** Another process has woken these: whoever claims one first polls it. One that is being polled is asked for again right after that:
   *  to all others it is taken meanwhile, and they come back to it only after some seconds. */
  woken(names: readonly string[]): void {
    for (const name of names) {
      const appointment = this.#appointments.get(name)
      if (appointment === undefined) continue
      if (appointment.dueMs === null) appointment.wokenMeanwhile = true
      else this.#due(appointment, this.#elapsedMs)
    }
    this.#arm()
  }

  /** Polls these soon, whether the ledger says that they are due or not: what was cut off there only this machine can find. */
  findCutOff(names: readonly string[]): void {
    for (const name of names) {
      const appointment = this.#appointments.get(name)
      if (appointment !== undefined) appointment.anyway = true
    }
    this.woken(names)
  }

  /** Another process has polled this account, as `report` says, and it is due again so long from now. Who asked before that poll began
   *  has the answer. */
  polledElsewhere(name: string, report: AccountReport, waitMs: number): void {
    const appointment = this.#appointments.get(name)
    if (appointment === undefined || appointment.dueMs === null) return
    const beganMs = this.#elapsedMs - report.durationMs
    const answered = appointment.askers.filter(({ sinceMs }) => sinceMs <= beganMs)
    appointment.askers = appointment.askers.filter((asker) => !answered.includes(asker))
    for (const asker of answered) asker.resolve(report)
    const scatterMs = this.#context.random() * EARLY_SCATTER_MS
    if (appointment.askers.length === 0) this.#again(appointment, waitMs + scatterMs)
    this.#arm()
  }

  /** All accounts, in the order of the configuration. */
  get plan(): readonly Planned[] {
    const nowMs = this.#context.clock.nowMs()
    const elapsedMs = this.#elapsedMs
    const isStuck = this.#isStuck(elapsedMs)
    return [...this.#appointments.values()].map((appointment) => {
      const { dueMs, waitsSinceMs } = appointment
      const isPolled = dueMs === null && waitsSinceMs === null
      return {
        account: appointment.account.name,
        polling: isPolled,
        nextPollMs: isPolled ? null : Math.round(nowMs + Math.max(0, (dueMs ?? elapsedMs) - elapsedMs)),
        overdue: appointment.isOverdue(elapsedMs) || (isStuck && waitsSinceMs !== null),
      }
    })
  }

  /** Accounts wait for a free place, and nothing that could give one is at work, for longer than anything takes. */
  #isStuck(elapsedMs: number): boolean {
    return this.#polling.size === 0 && elapsedMs - this.#lifeMs > STUCK_MS
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
    const { account } = appointment
    const afterMs = this.#context.random() * spreadMs(this.#appointments.size, account.poll.minMs)
    appointment.plan(records.get(account.name) ?? null, this.#moment, afterMs)
    appointment.anyway = this.#isAlone
    this.#queue.add(appointment)
  }

  #again(appointment: Appointment, waitMs: number): void {
    appointment.again(this.#elapsedMs, waitMs)
    // Of an account that was left out meanwhile this was the last poll.
    if (this.#appointments.get(appointment.account.name) === appointment) this.#queue.add(appointment)
  }

  #due(appointment: Appointment, dueMs: number): void {
    appointment.dueMs = dueMs
    this.#queue.add(appointment)
  }

  /** Sleeps until the next account is due. */
  #arm(): void {
    this.#callOff()
    if (this.#stopped) return
    const elapsedMs = this.#elapsedMs
    const nextMs = Math.min(elapsedMs + SEGMENT_MS, this.#queue.nextMs ?? Infinity)
    this.#callOff = this.#context.clock.after(Math.max(GRAIN_MS, nextMs - elapsedMs), () => this.#tick())
  }

  #tick(): void {
    if (this.#gaps.passed()) this.#afterGap()
    const now = this.#elapsedMs
    for (let next = this.#queue.take(now); next !== null; next = this.#queue.take(now))
      this.#begin(next, next.dueMs ?? now)
    this.#arm()
  }

  /** Sessions are dead or will be, and plans were made for another time of day. */
  #afterGap(): void {
    this.#context.poller.interrupt()
    const renewed = Promise.all([this.#records(), this.#context.isAlone()]).then(([records, isAlone]) => {
      this.#isAlone = isAlone
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
    appointment.wokenMeanwhile = false
    appointment.waitsSinceMs = appointment.heardMs = this.#elapsedMs
    this.#lifeMs = this.#elapsedMs
    const poll = this.#poll(appointment, dueMs).finally(() => {
      this.#running.delete(poll)
      this.#arm()
    })
    this.#running.add(poll)
  }

  /** Never rejects: an error of one account's poll ends here. */
  async #poll(appointment: Appointment, dueMs: number): Promise<void> {
    const { poller, ended, random } = this.#context
    const { account } = appointment
    const planned = new PlannedPoll(appointment, {
      moment: () => this.#moment,
      random,
      health: () => this.#health(account),
      asks: () => (this.#lifeMs = this.#elapsedMs),
      begins: () => this.#polling.add(planned),
    })
    const urgency = appointment.askers.length > 0 ? 'now' : 'usual'
    let report: AccountReport
    try {
      const told = await poller.pollAsPlanned(account, OPTIONS, urgency, planned)
      if ('why' in told && (await this.#isLeft(appointment, told))) return
      report = 'why' in told ? busy(account) : told
    } catch (error) {
      appointment.bug ??= error
      report = failed(account, asPopfetchError(error))
    }
    this.#polling.delete(planned)
    // Another popfetch has it, or the poll came to no end.
    if (planned.end === null) await planned.dueAgainMs(report, null)
    const { health = null, waitMs = 0 } = planned.end ?? {}
    const thrown = appointment.bug
    appointment.bug = null
    // Whoever asked before there was a poll is told why there was none.
    const askers = planned.askers ?? appointment.askers.splice(0)
    this.#again(appointment, appointment.askers.length > 0 || appointment.wokenMeanwhile ? 0 : waitMs)
    const lateMs = Math.max(0, this.#elapsedMs - report.durationMs - dueMs)
    ended({ account, report, health, lateMs, waitMs, thrown })
    for (const asker of askers) asker.resolve(report)
  }

  /** The account was not given. True: it is somebody else's turn, and nothing is to be told. False: another popfetch is in the way. */
  async #isLeft(appointment: Appointment, told: Unclaimed): Promise<boolean> {
    if (told.why === 'held' && this.#isAlone) this.#isAlone = await this.#context.isAlone().catch(() => true)
    const isAsked = appointment.askers.length > 0
    if (told.why === 'held' && this.#isAlone) return false
    if (isAsked && ++appointment.heldInARow > HELD_ASKED) return false
    const earlyMs = told.why !== 'early' ? null : appointment.wokenMeanwhile ? 0 : told.dueInMs
    const waitMs = earlyMs ?? (isAsked ? HELD_ASKED_MS : HELD_MS)
    // Whoever is a little later than the others meets none of them.
    const scatterMs = this.#context.random() * (told.why === 'early' ? EARLY_SCATTER_MS : waitMs / 2)
    this.#again(appointment, waitMs + scatterMs)
    return true
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
  const tally = tallyOf(name)
  tally.fail(error)
  return tally.report()
}

function busy({ name }: Account): AccountReport {
  return tallyOf(name).busy()
}

function tallyOf(name: string): Tally {
  return new Tally(name, { progress: () => {}, note: () => {} }, () => 0)
}

/** The daemon ends. */
export function stopping(): PopfetchError {
  return new PopfetchError('ERR_ABORTED', 'the daemon is stopping', { scope: 'process', retry: 'soon' })
}

function unknownAccount(name: string): PopfetchError {
  return new PopfetchError('ERR_USAGE', `the daemon does not poll ${name}: reload it if it is new`, {
    scope: 'process',
    retry: 'never',
  })
}
