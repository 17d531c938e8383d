// The progress of one account's migration. Which messages the next session may fetch, how many, what the last listing showed, and
// the counts of all sessions. When the next session begins is retry.ts.
import { BitSet } from '../bit-set.ts'
import type { PlannedFetch } from '../poll/plan/entry.ts'
import type { Plan } from '../poll/plan/plan.ts'
import type { AccountReport, Progress } from '../poll/report.ts'
import type { MessageLooks } from '../poll/run/restrictions.ts'
import type { Session } from '../pop3/session.ts'
import type { MigrationObserver, MigrationOptions } from './report.ts'
import type { SecondLook } from './second-look.ts'
import type { Since } from './since.ts'

/** With `--delete`, at most this many messages or bytes in a session. A connection that is cut undoes no more deletions than that
 *  (P154, session length caps). */
const BATCH = 2000
const BATCH_BYTES = 1e9
const SMALLEST_BATCH = 50
/** Where the next session must wait longer than this, one long session is better (P155, LOGIN-DELAY). */
const LONGEST_DELAY_S = 30

/** What the last listing showed, as this migration wants it. */
export interface LastListing {
  readonly plan: Plan
  /** What was to be fetched, though it may not all have been asked for. */
  readonly wanted: readonly PlannedFetch[]
  readonly older: number
}

export class MigrationProgress {
  readonly #account: string
  readonly #options: MigrationOptions
  readonly #observer: MigrationObserver
  readonly #since: Since | null
  readonly #nowMs: () => number
  lastListing: LastListing | null = null
  /** Set while a session only compares some messages once more; null: the session moves messages. */
  looking: SecondLook | null = null
  sessions = 0
  lostSessions = 0
  delivered = 0
  deleted = 0
  possibleDuplicates = 0
  #messages = 0
  #bytes = 0
  #failures = 0
  #totalMessages = 0
  #totalBytes = 0
  #batch = BATCH
  #begun = false
  #delaySeconds: number | null = null
  #signedInMs: number | null = null
  /** Of the session that runs. */
  #progress: Progress | null = null

  constructor(
    account: string,
    {
      options,
      observer,
      since,
      nowMs,
    }: {
      readonly options: MigrationOptions
      readonly observer: MigrationObserver
      readonly since: Since | null
      readonly nowMs: () => number
    },
  ) {
    this.#account = account
    this.#options = options
    this.#observer = observer
    this.#since = since
    this.#nowMs = nowMs
  }

  /** How many messages the next session may fetch, and delete. */
  get batch(): number {
    if (!this.#options.delete || (this.#delaySeconds ?? 0) > LONGEST_DELAY_S) return Infinity
    return this.#batch
  }

  /** Have as many messages been fetched as `--limit` allows? */
  get isLimitReached(): boolean {
    return this.#limitLeft <= 0
  }

  get #limitLeft(): number {
    return this.#options.limit === null ? Infinity : this.#options.limit - this.delivered
  }

  /** The next sign-in is not allowed before then (P056, LOGIN-DELAY); 0: at any time. */
  get delayedUntilMs(): number {
    return this.#delaySeconds === null || this.#signedInMs === null ? 0 : this.#signedInMs + this.#delaySeconds * 1000
  }

  async wanted(plan: Plan, session: Session, looks: MessageLooks): Promise<Plan> {
    if (this.looking !== null) {
      await this.looking.look(plan, looks)
      return { ...plan, fetch: [], left: 0 }
    }
    // Somewhat later than the sign-in, so the wait is rather too long than too short.
    this.#signedInMs = this.#nowMs()
    this.#delaySeconds = session.capabilities.loginDelaySeconds
    const wanted = this.#since === null ? plan.fetch : await this.#since.select(plan.fetch, looks)
    this.lastListing = { plan, wanted, older: plan.fetch.length - wanted.length }
    const fetch = this.#inBatch(wanted)
    this.#foresee(plan, wanted)
    // The poll may go on by itself with what this session leaves, but only without limits: it does not count for them.
    const countless = this.#options.limit === null && fetch.length === wanted.length
    // What is left counts as such when all sessions are over: the last listing has to be that of the last messages.
    return { ...plan, fetch, left: countless ? plan.left : 0, more: new BitSet() }
  }

  #inBatch(wanted: readonly PlannedFetch[]): readonly PlannedFetch[] {
    const most = Math.min(this.batch, this.#limitLeft)
    if (most === Infinity) return wanted
    let bytes = 0
    const end = wanted.findIndex(({ sizeBytes }, at) => {
      bytes += sizeBytes ?? 0
      return at >= most || (at > 0 && this.batch !== Infinity && bytes > BATCH_BYTES)
    })
    return end < 0 ? wanted : wanted.slice(0, end)
  }

  /** Estimates the totals. The sizes of messages beyond this session are not known. */
  #foresee(plan: Plan, wanted: readonly PlannedFetch[]): void {
    const done = this.#progress
    const fetched = wanted.slice(0, this.#limitLeft === Infinity ? undefined : this.#limitLeft)
    // Messages that an earlier run has moved count as done.
    if (!this.#begun) this.#messages = plan.skipped
    this.#begun = true
    this.#totalMessages = this.#messages + (done?.messages ?? 0) + fetched.length + plan.left
    const bytes = fetched.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
    const average = fetched.length === 0 ? 0 : bytes / fetched.length
    this.#totalBytes = this.#bytes + (done?.bytes ?? 0) + bytes + Math.round(average * plan.left)
  }

  observe(progress: Progress): void {
    this.#progress = progress
    this.tell()
  }

  tell(): void {
    const { stage = 'connecting', messages = 0, bytes = 0 } = this.#progress ?? {}
    this.#observer.progress(
      this.#account,
      {
        // Another poll may follow.
        stage: stage === 'done' ? 'finishing' : stage,
        messages: this.#messages + messages,
        totalMessages: this.#totalMessages,
        bytes: this.#bytes + bytes,
        totalBytes: this.#totalBytes,
      },
      this.errors,
    )
  }

  get errors(): number {
    return this.#failures + this.lostSessions
  }

  /** A session, or several in a row, came to an end. */
  add(report: AccountReport): void {
    this.sessions++
    this.delivered += report.delivered
    this.deleted += report.deleted
    this.possibleDuplicates += report.possibleDuplicates
    this.#failures += report.deferred + report.refused + report.held
    this.#messages += report.delivered
    this.#bytes += report.bytes
    this.#progress = null
    if (report.error === null) this.#batch = Math.min(BATCH, this.#batch * 2)
    else {
      this.lostSessions++
      this.#batch = Math.max(SMALLEST_BATCH, Math.floor(Math.min(this.#batch, Math.max(1, report.delivered)) / 2))
    }
  }
}
