// One account's migration, from lease to report. Its sessions are polls, its terms say what they may do; how far it is, is
// course.ts, when to go on rests.ts, what became of it closing.ts. The one rule: the lease is held from the first session to
// the last, also between them, so that a daemon keeps out of the way.
import type { Account } from '../config/schema.ts'
import { asPopfetchError } from '../errors.ts'
import type { Lease } from '../ledger/ledger.ts'
import type { Destinations } from '../poll/run/destinations.ts'
import type { Poller } from '../poll/poller.ts'
import type { Entry } from '../poll/plan/plan.ts'
import { type AccountReport, type Progress, type ReportedError, reportError } from '../poll/report.ts'
import type { Restrictions } from '../poll/run/restrictions.ts'
import { close, type Counts } from './balance.ts'
import { Course } from './progress.ts'
import type { MigrationRequest } from './request.ts'
import type { Rate } from './rate.ts'
import { patientLease } from './lease.ts'
import { emptyReport, type MigrationReport } from './report.ts'
import { Rests } from './retry.ts'
import { begin, finish, tryAfresh } from './resumption.ts'
import { SecondLook } from './second-look.ts'
import { Since } from './since.ts'
import { placesOf, provenEntries } from './verify.ts'

export interface MigrationContext extends MigrationRequest {
  readonly poller: Poller
  readonly destinations: Destinations
  readonly rate: Rate | null
  /** Rejects when the signal is given. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

/** A server may need a moment to let go of the mailbox (P137). */
const PAUSE_MS = 2000
/** A line that breaks in the middle of much that was asked for ahead may bring nothing of it; one by one brings something. */
const FAILURES_BEFORE_ONE_BY_ONE = 3

export class Migration {
  readonly #account: Account
  readonly #context: MigrationContext
  readonly #course: Course
  readonly #rests = new Rests()
  readonly #secondLook: SecondLook
  readonly #startMs: number
  #acceptNewIds = false
  #oneByOne = false
  #deletedLast = 0
  #lease: Lease | null = null

  constructor(account: Account, context: MigrationContext) {
    const { options, observer, nowMs, rate } = context
    this.#account = {
      ...account,
      first: { kind: 'all' },
      limit: null,
      delete: { kind: options.delete ? 'after-delivery' : 'never' },
    }
    this.#context = context
    this.#startMs = nowMs()
    const since = options.sinceMs === null ? null : new Since(options.sinceMs)
    this.#course = new Course(account.name, { options, observer, since, nowMs })
    this.#secondLook = new SecondLook((bytes) => rate?.take(bytes))
  }

  /** What its polls may do. */
  get restrictions(): Restrictions {
    const { signal, rate } = this.#context
    return {
      lease: this.#lease,
      skippedToo: true,
      stop: signal,
      wanted: (plan, session) => this.#course.wanted(plan, session),
      pace: (bytes) => rate?.take(bytes),
      removable: (delivered) => this.#removable(delivered),
    }
  }

  observe(progress: Progress): void {
    this.#course.observe(progress)
  }

  /** Never rejects: what went wrong is in the report. */
  async run(): Promise<MigrationReport> {
    try {
      await using lease = await patientLease(this.#account.name, this.#context)
      if (lease === null) return { ...this.#report(), outcome: 'busy' }
      this.#lease = lease
      return this.#context.options.dryRun ? await this.#look() : await this.#move(lease)
    } catch (thrown) {
      return { ...this.#report(), outcome: 'failed', error: reportError(asPopfetchError(thrown)) }
    }
  }

  async #look(): Promise<MigrationReport> {
    const { error, skipped, plan } = await this.#session({ dryRun: true })
    const { shown } = this.#course
    const wanted = shown?.wanted ?? []
    return {
      ...this.#report(),
      outcome: error === null ? 'ok' : 'failed',
      error,
      messages: wanted.length + (shown?.plan.left ?? 0),
      bytes: wanted.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0),
      older: shown?.older ?? 0,
      earlier: skipped,
      plan,
    }
  }

  async #move(lease: Lease): Promise<MigrationReport> {
    const { ledger, ownLedger, observer, options, signal, nowMs } = this.#context
    const { name } = this.#account
    const afresh = await tryAfresh(ledger, lease)
    if (afresh > 0) observer.note(name, `${afresh} messages that failed before are tried afresh`)
    const sinceMs = ownLedger ? 0 : await begin(ledger, lease, this.#account, nowMs())
    let error = await this.#sessions()
    if (signal.aborted) return await this.#interrupted(sinceMs)
    let counts = await this.#verified(sinceMs)
    if (counts !== null && this.#secondLook.isWanted && error === null) {
      await this.#lookAgain()
      if (options.delete) error = await this.#sessions()
      counts = await this.#verified(sinceMs)
    }
    if (counts === null || signal.aborted) return await this.#interrupted(sinceMs)
    const undeleted = this.#undeleted(counts)
    const whole = counts.unmovedCount + undeleted === 0
    const outcome = error !== null ? 'failed' : whole ? 'ok' : 'partial'
    if (outcome === 'ok' && !ownLedger) await finish(ledger, lease, this.#account)
    const where = await placesOf(this.#account, this.#context.destinations)
    return { ...this.#report(), ...counts, ...where, outcome, error, undeleted, durationMs: this.#elapsedMs }
  }

  /** Null: interrupted. */
  async #verified(sinceMs: number): Promise<Counts | null> {
    return await this.#close(sinceMs, false).catch((thrown: unknown) => {
      if (this.#context.signal.aborted) return null
      throw thrown
    })
  }

  async #interrupted(sinceMs: number): Promise<MigrationReport> {
    const counts = await this.#close(sinceMs, true)
    const where = await placesOf(this.#account, this.#context.destinations)
    return { ...this.#report(), ...counts, ...where, outcome: 'interrupted' }
  }

  /** What ended them early; null: they came to their end, or were stopped. */
  async #sessions(): Promise<ReportedError | null> {
    const { signal, observer, wait } = this.#context
    const { name } = this.#account
    while (!signal.aborted) {
      const report = await this.#session({ dryRun: false })
      this.#course.add(report)
      this.#deletedLast = report.deleted
      if (signal.aborted || (report.error === null && this.#course.isLimitReached)) return null
      const next = await this.#next(report)
      if (next.kind !== 'again') return next.kind === 'end' ? null : report.error
      const why = report.error === null ? '' : `: ${report.error.message}`
      const waiting = `another session in ${Math.ceil(next.waitMs / 1000)} s${why}`
      observer.note(name, waiting)
      observer.pause(name, waiting)
      await wait(next.waitMs, signal).catch(() => {})
    }
    return null
  }

  async #next({ error, delivered, deleted, deferred }: AccountReport) {
    const { nowMs, ledger } = this.#context
    // Either the mailbox was rebuilt, or its window moved on (P100): the headers tell, so that nothing comes twice.
    const renumbered = error?.code === 'ERR_UIDS_CHANGED' && !this.#acceptNewIds
    if (renumbered) this.#acceptNewIds = true
    const records = await ledger.accounts()
    const next = this.#rests.after({
      error: renumbered ? null : error,
      progress: renumbered || delivered + deleted > 0,
      deferred: deferred > 0,
      nowMs: nowMs(),
      delayedUntilMs: this.#course.delayedUntilMs,
      pausedUntilMs: records.find((record) => record.name === this.#account.name)?.pausedUntilMs ?? 0,
    })
    if (this.#rests.failures >= FAILURES_BEFORE_ONE_BY_ONE) this.#oneByOne = true
    return next
  }

  /** As a dry run, which records nothing; what is delivered stands in its plan as what could be deleted. */
  async #lookAgain(): Promise<void> {
    const { observer, wait, signal, nowMs } = this.#context
    const { name } = this.#account
    observer.note(name, 'some files are not what their digests say: their messages are fetched once more and compared')
    observer.pause(name, 'comparing some messages once more')
    await wait(Math.max(PAUSE_MS, this.#course.delayedUntilMs - nowMs()), signal).catch(() => {})
    if (signal.aborted) return
    this.#course.looking = this.#secondLook
    const account = { ...this.#account, delete: { kind: 'after-delivery' as const } }
    const { error } = await this.#session({ dryRun: true }, account)
    this.#course.looking = null
    if (error !== null) observer.note(name, `they could not be compared: ${error.message}`)
  }

  #session({ dryRun }: { readonly dryRun: boolean }, base = this.#account): Promise<AccountReport> {
    const acceptNewIds = this.#acceptNewIds
    const options = { dryRun, acceptNewIds, limit: null, all: false, yes: true, eager: true }
    const account = this.#oneByOne ? { ...base, pipelining: 'off' as const } : base
    return this.#context.poller.poll(account, options)
  }

  /** Read again first, and no more than one session should delete. */
  async #removable<T extends Entry>(delivered: readonly T[]): Promise<readonly T[]> {
    const { signal, observer } = this.#context
    // Somebody waits for the end: the next run deletes them.
    if (signal.aborted) return []
    const batch = delivered.slice(0, this.#course.batch)
    const { proven, flaws } = await provenEntries(batch, { ...this.#evidence, signal: neverAborted })
    for (const flaw of flaws) observer.note(this.#account.name, `stays on the server: ${flaw}`)
    return proven
  }

  #close(sinceMs: number, unread: boolean): Promise<Counts> {
    const { signal, observer } = this.#context
    const { shown, isLimitReached } = this.#course
    const { name } = this.#account
    return close({
      ...this.#evidence,
      signal: unread ? neverAborted : signal,
      sinceMs,
      shown,
      isLimitReached,
      unread,
      onProgress: (messages) => observer.pause(name, `verifying: ${messages} messages`),
    })
  }

  get #evidence() {
    const { ledger, destinations } = this.#context
    return { account: this.#account, ledger, destinations, secondLook: this.#secondLook }
  }

  /** Of the last listing, if that session deleted nothing any more. */
  #undeleted({ unmoved }: Counts): number {
    const listed = this.#course.shown?.plan.deletions.length ?? 0
    if (!this.#context.options.delete || this.#deletedLast > 0) return 0
    return Math.max(0, listed - unmoved.filter(({ kind }) => kind === 'unverified').length)
  }

  get #elapsedMs(): number {
    return Math.max(0, Math.round(this.#context.nowMs() - this.#startMs))
  }

  #report(): MigrationReport {
    const { sessions, lostSessions, deleted, possibleDuplicates } = this.#course
    const empty = emptyReport(this.#account.name)
    return { ...empty, sessions, lostSessions, deleted, possibleDuplicates, durationMs: this.#elapsedMs }
  }
}

const neverAborted = new AbortController().signal
