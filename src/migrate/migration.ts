// One account's migration, from lease to report; the story is told in migrate.ts. Its sessions are polls, and `restrictions` says
// what those may do. One rule: the lease is held from the first session to the last, also between them, so that a daemon
// keeps out of the way.
import type { Account } from '../config/schema.ts'
import { asPopfetchError, PopfetchError } from '../errors.ts'
import { type Lease, waitForLease } from '../ledger/lease.ts'
import type { Destinations } from '../poll/run/destinations.ts'
import type { Poller } from '../poll/poller.ts'
import type { ListingEntry } from '../pop3/listing/listing.ts'
import { amountOf, type SpaceBook, type SpaceCheck } from '../poll/plan/space.ts'
import { type AccountReport, type Progress, type ReportedError, reportError } from '../poll/report.ts'
import { pauseAt, pausedNow, pauseText } from '../poll/route/paused.ts'
import { possibleNames } from '../poll/route/route.ts'
import type { Restrictions } from '../poll/run/restrictions.ts'
import { balanceOf, type Counts } from './balance.ts'
import { MigrationProgress } from './progress.ts'
import type { Rate } from './rate.ts'
import { emptyReport, type MigrationReport, type MigrationRequest } from './report.ts'
import { Retries } from './retry.ts'
import { begin, finish, tryAfresh } from './resumption.ts'
import { SecondLook } from './second-look.ts'
import { Since } from './since.ts'
import { placesOf, provenEntries } from './verify.ts'

export interface MigrationContext extends MigrationRequest {
  readonly poller: Poller
  readonly destinations: Destinations
  readonly book: SpaceBook
  readonly rate: Rate | null
  /** Rejects when the signal is given. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

/** A minute: a poll of a daemon that is under way may be finished first, but another migration takes as long as it takes. */
const LEASE_WAIT = { tries: 30, everyMs: 2000 } as const
/** A server may need a moment to release the mailbox (P137, lock not released). */
const PAUSE_MS = 2000
/** After this many failures in a row, messages are asked for one by one: a bad line may lose all that was asked for ahead. */
const FAILURES_BEFORE_ONE_BY_ONE = 3

export class Migration {
  readonly #account: Account
  readonly #context: MigrationContext
  readonly #progress: MigrationProgress
  readonly #retries: Retries
  readonly #secondLook: SecondLook
  readonly #startMs: number
  #acceptNewIds = false
  #oneByOne = false
  #deletedLast = 0
  #isSpaceKnown = false
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
    this.#retries = new Retries(options.keepTryingMs)
    const since = options.sinceMs === null ? null : new Since(options.sinceMs)
    this.#progress = new MigrationProgress(account.name, { options, observer, since, nowMs })
    this.#secondLook = new SecondLook((bytes) => rate?.take(bytes))
  }

  /** What its polls may do. */
  get restrictions(): Restrictions {
    const { signal, rate } = this.#context
    return {
      lease: this.#lease,
      skippedToo: true,
      takesOver: false,
      spaceCheck: () => this.#spaceCheck(),
      stop: signal,
      wanted: (plan, session, looks) => this.#progress.wanted(plan, session, looks),
      pace: (bytes) => rate?.take(bytes),
      removable: (delivered) => this.#removable(delivered),
    }
  }

  /** Of the first listing, whatever this session takes of it. */
  #spaceCheck(): SpaceCheck | null {
    const { book, options } = this.#context
    const { lastListing } = this.#progress
    if (this.#isSpaceKnown || options.yes || lastListing === null) return null
    this.#isSpaceKnown = true
    const { wanted, plan } = lastListing
    const { limit } = options
    const amount = limit === null ? amountOf(wanted, plan.left) : amountOf(wanted.slice(0, limit), 0)
    return { amount, book, goesOn: 'add --yes' }
  }

  observe(progress: Progress): void {
    this.#progress.observe(progress)
  }

  /** Never rejects: what went wrong is in the report. */
  async run(): Promise<MigrationReport> {
    try {
      await using lease = await this.#takeLease()
      if (lease === null) return { ...this.#report(), outcome: 'busy' }
      this.#lease = lease
      await this.#requireResumed()
      return this.#context.options.dryRun ? await this.#look() : await this.#move(lease)
    } catch (thrown) {
      return { ...this.#report(), outcome: 'failed', error: reportError(asPopfetchError(thrown)) }
    }
  }

  /** Null: another popfetch still has it, or the signal was given. */
  async #takeLease(): Promise<Lease | null> {
    const { ledger, observer, signal, wait } = this.#context
    const { name } = this.#account
    const waiting = (tries: number): void => {
      if (tries === 1) observer.note(name, 'another popfetch is polling it: waiting until it is done')
      observer.pause(name, 'waiting for another popfetch')
    }
    try {
      return await waitForLease(ledger, name, { ...LEASE_WAIT, signal, wait, waiting })
    } catch (error) {
      if (signal.aborted) return null
      throw error
    }
  }

  /** Rejects with ERR_PAUSED: a person wants the account, or a destination of it, left alone. */
  async #requireResumed(): Promise<void> {
    const { account, destinations } = await pausedNow(this.#account.name, this.#context.ledger)
    const names = possibleNames(this.#account)
    const all = this.#context.configuration.destinations
    const pause = account ?? names.flatMap((name) => pauseAt(name, destinations, all) ?? [])[0]
    if (pause !== undefined)
      throw new PopfetchError('ERR_PAUSED', pauseText(pause), { scope: 'account', retry: 'later' })
  }

  async #look(): Promise<MigrationReport> {
    const { error, skipped, plan } = await this.#session({ dryRun: true })
    const { lastListing } = this.#progress
    const wanted = lastListing?.wanted ?? []
    return {
      ...this.#report(),
      outcome: error === null ? 'ok' : 'failed',
      error,
      messages: wanted.length + (lastListing?.plan.left ?? 0),
      bytes: wanted.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0),
      older: lastListing?.older ?? 0,
      earlier: skipped,
      plan,
    }
  }

  async #move(lease: Lease): Promise<MigrationReport> {
    const { ledger, ownLedger, observer, options, signal, nowMs } = this.#context
    const { name } = this.#account
    const afresh = await tryAfresh(ledger, lease)
    if (afresh > 0) observer.note(name, `${afresh} messages that failed before are retried`)
    const memo = this.#context.memo
    const begunMs = await begin(ledger, lease, this.#account, { memo, nowMs: nowMs() })
    const sinceMs = ownLedger ? 0 : begunMs
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
    if (outcome !== 'failed') await finish(ledger, lease, this.#account, { whole, nowMs: nowMs() })
    const where = await placesOf(this.#account, this.#context.destinations)
    return { ...this.#report(), ...counts, ...where, outcome, error, undeleted, durationMs: this.#elapsedMs }
  }

  /** Null: interrupted. */
  async #verified(sinceMs: number): Promise<Counts | null> {
    return await this.#balance(sinceMs, false).catch((thrown: unknown) => {
      if (this.#context.signal.aborted) return null
      throw thrown
    })
  }

  async #interrupted(sinceMs: number): Promise<MigrationReport> {
    const counts = await this.#balance(sinceMs, true)
    const where = await placesOf(this.#account, this.#context.destinations)
    return { ...this.#report(), ...counts, ...where, outcome: 'interrupted' }
  }

  /** The error that ended them early; null: they came to their end, or were stopped. */
  async #sessions(): Promise<ReportedError | null> {
    const { signal, observer, wait } = this.#context
    const { name } = this.#account
    while (!signal.aborted) {
      const report = await this.#session({ dryRun: false })
      this.#progress.add(report)
      this.#deletedLast = report.deleted
      if (report.pausedBy !== undefined) return { code: 'ERR_PAUSED', message: report.pausedBy, retry: 'later' }
      if (signal.aborted || (report.error === null && this.#progress.isLimitReached)) return null
      const next = await this.#next(report)
      if (next.kind !== 'again') return next.kind === 'end' ? null : report.error
      const why = report.error === null ? '' : `: ${report.error.message}`
      const waiting = `reconnecting in ${Math.ceil(next.waitMs / 1000)} s${why}`
      observer.note(name, waiting)
      observer.pause(name, waiting)
      await wait(next.waitMs, signal).catch(() => {})
    }
    return null
  }

  async #next({ error, delivered, deleted, deferred }: AccountReport) {
    const { nowMs, ledger } = this.#context
    // Either the mailbox was rebuilt, or its window moved on (P100, windowed listing): the headers tell, so nothing comes twice.
    const renumbered = error?.code === 'ERR_UIDS_CHANGED' && !this.#acceptNewIds
    if (renumbered) this.#acceptNewIds = true
    const records = await ledger.accounts()
    const next = this.#retries.after({
      error: renumbered ? null : error,
      progress: renumbered || delivered + deleted > 0,
      deferred: deferred > 0,
      nowMs: nowMs(),
      delayedUntilMs: this.#progress.delayedUntilMs,
      pausedUntilMs: records.find((record) => record.name === this.#account.name)?.pausedUntilMs ?? 0,
    })
    if (this.#retries.failures >= FAILURES_BEFORE_ONE_BY_ONE) this.#oneByOne = true
    return next
  }

  /** As a dry run, which records nothing. Its plan names the delivered messages as those that could be deleted. */
  async #lookAgain(): Promise<void> {
    const { observer, wait, signal, nowMs } = this.#context
    const { name } = this.#account
    observer.note(name, 'some files do not match their digests: their messages are fetched again and compared')
    observer.pause(name, 'comparing some messages once more')
    await wait(Math.max(PAUSE_MS, this.#progress.delayedUntilMs - nowMs()), signal).catch(() => {})
    if (signal.aborted) return
    this.#progress.looking = this.#secondLook
    const account = { ...this.#account, delete: { kind: 'after-delivery' as const } }
    const { error } = await this.#session({ dryRun: true }, account)
    this.#progress.looking = null
    if (error !== null) observer.note(name, `they could not be compared: ${error.message}`)
  }

  #session({ dryRun }: { readonly dryRun: boolean }, base = this.#account): Promise<AccountReport> {
    const acceptNewIds = this.#acceptNewIds
    const options = { dryRun, acceptNewIds, limit: null, all: false, markSeen: false, yes: true, eager: true }
    const account = this.#oneByOne ? { ...base, pipelining: 'off' as const } : base
    return this.#context.poller.poll(account, options)
  }

  /** Those of one batch that were read again and found to be the same. */
  async #removable<T extends ListingEntry>(delivered: readonly T[]): Promise<readonly T[]> {
    const { signal, observer } = this.#context
    // A person waits for the end: the next run deletes them.
    if (signal.aborted) return []
    const batch = delivered.slice(0, this.#progress.batch)
    const { proven, flaws } = await provenEntries(batch, { ...this.#evidence, signal: neverAborted })
    for (const flaw of flaws) observer.note(this.#account.name, `stays on the server: ${flaw}`)
    return proven
  }

  #balance(sinceMs: number, unread: boolean): Promise<Counts> {
    const { signal, observer } = this.#context
    const { lastListing, isLimitReached } = this.#progress
    const { name } = this.#account
    return balanceOf({
      ...this.#evidence,
      signal: unread ? neverAborted : signal,
      sinceMs,
      lastListing,
      isLimitReached,
      unread,
      onProgress: (messages) => observer.pause(name, `verifying: ${messages} messages`),
    })
  }

  get #evidence() {
    const { ledger, destinations, options } = this.#context
    return { account: this.#account, ledger, destinations, secondLook: this.#secondLook, whole: options.delete }
  }

  /** How many of the last listing should have gone and did not; 0 while sessions still delete. */
  #undeleted({ unmoved }: Counts): number {
    const listed = this.#progress.lastListing?.plan.deletions.length ?? 0
    if (!this.#context.options.delete || this.#deletedLast > 0) return 0
    return Math.max(0, listed - unmoved.filter(({ kind }) => kind === 'unverified').length)
  }

  get #elapsedMs(): number {
    return Math.max(0, Math.round(this.#context.nowMs() - this.#startMs))
  }

  #report(): MigrationReport {
    const { sessions, lostSessions, deleted, possibleDuplicates } = this.#progress
    const empty = emptyReport(this.#account.name)
    return { ...empty, sessions, lostSessions, deleted, possibleDuplicates, durationMs: this.#elapsedMs }
  }
}

const neverAborted = new AbortController().signal
