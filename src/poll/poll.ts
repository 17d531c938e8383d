// One account, polled once: the story of the program on one page. lease → session → sign in → list → compare → guard →
// retrieve, deliver and record → remove → quit → remember how it went. What each step promises is told where it lives.
// The one rule: nothing is deleted on doubt. Whatever goes wrong, the session ends without QUIT and the mail stays.
import { setTimeout as pause } from 'node:timers/promises'
import type { Account } from '../config/schema.ts'
import { asPopfetchError, type PopfetchError } from '../errors.ts'
import { ExpiredToken } from '../pop3/wire/reply-error.ts'
import type { Session } from '../pop3/session.ts'
import { isPaused } from './account/backoff.ts'
import { recordListing } from './compare/record-listing.ts'
import { plannedMessages } from './compare/dry-run.ts'
import { interrupted, noUidls } from './ends.ts'
import { guard } from './plan/guards.ts'
import { compare, type Comparison } from './compare/compare.ts'
import { History } from './account/history.ts'
import { isFresh, type Plan, type PlannedFetch } from './plan/plan.ts'
import { remove, type Removable } from './removal.ts'
import type { AccountReport } from './report.ts'
import type { Run } from './run/run.ts'
import { TokenRenewal } from './sign-in/token-renewal.ts'
import { connect, credentialsOf } from './sign-in/sign-in.ts'
import { endedSession } from './transfer/suspects.ts'
import { Tally } from './tally.ts'
import { AccountDestinations } from './route/account-destinations.ts'
import { prepareJobs } from './route/due.ts'
import { Transfer } from './transfer/transfer.ts'
import type { AccountPoll, Visit } from './visit.ts'

/** Servers that close a session after a minute or so of silence want a word while a slow destination is at work (P149). */
const KEEP_ALIVE_MS = 20_000

/** A server that wants more than that between two sign-ins is left to the next poll (P155). */
const LONGEST_WAIT_S = 30

/** Never rejects: what went wrong is in the report. */
export async function pollAccount(account: Account, run: Run): Promise<AccountReport> {
  const tally = new Tally(account.name, run.observer, run.nowMs)
  try {
    await using own = run.restrictions.lease === null ? await run.ledger.lease(account.name) : null
    const lease = own ?? run.restrictions.lease
    if (lease === null) {
      tally.busy()
      return tally.report()
    }
    const { host, port, user } = account
    const record = await run.ledger.account(account.name, { host, port, user })
    const history = new History(account, record, run)
    return await new Poll({ account, run, lease, tally, history }).run()
  } catch (error) {
    tally.fail(asPopfetchError(error))
    return tally.report()
  }
}

class Poll {
  readonly #poll: AccountPoll
  readonly #account: Account
  readonly #run: Run
  readonly #tally: Tally
  readonly #history: History
  readonly #renewal: TokenRenewal
  /** Messages that ended a session before have their turn in the next session of this run. */
  #suspects: 'waiting' | null = null

  constructor(poll: AccountPoll) {
    const { account, run, tally, history } = poll
    this.#poll = poll
    this.#account = account
    this.#run = run
    this.#tally = tally
    this.#history = history
    this.#renewal = new TokenRenewal(account, { read: () => history.secret(), note: (text) => tally.note(text) })
  }

  async run(): Promise<AccountReport> {
    const { record } = this.#history
    let secret: string | null = null
    if (!this.#run.options.eager && isPaused(record, this.#run.nowMs())) {
      // A refused password that was changed meanwhile is worth a try at once (N010).
      secret = record.refusals === 0 ? null : await this.#history.secret().catch(() => null)
      if (secret === null || !this.#history.secretChanged) {
        this.#tally.paused()
        return this.#tally.report(record.error)
      }
    }
    try {
      secret ??= await this.#history.secret()
      while (secret !== null) {
        secret = await this.#sessionWith(secret)
        if (secret !== null) await this.#betweenSessions()
      }
    } catch (error) {
      this.#tally.fail(asPopfetchError(error))
    }
    await this.#history.remember(this.#tally)
    return this.#tally.report()
  }

  /** One session; resolves with the secret of the next one, null: there is no more to fetch. */
  async #sessionWith(secret: string): Promise<string | null> {
    try {
      return (await this.#session(secret)) ? secret : null
    } catch (error) {
      const { workarounds, rememberedCapabilities } = this.#history
      const workaround = rememberedCapabilities.doubtAfter(error) ?? workarounds.against(error)
      if (workaround !== null) {
        this.#tally.note(workaround)
        return secret
      }
      if (this.#mustWait) throw error
      return await this.#renewal.renew(secret, error, this.#tally.delivered)
    }
  }

  /** From sign-in to QUIT; true: there is more to fetch, and another session may get it. */
  async #session(secret: string): Promise<boolean> {
    const account = this.#account
    const run = this.#run
    const tally = this.#tally
    const history = this.#history
    tally.stage('connecting')
    await run.departed.refuseMailbox(account, history.record, run.options)
    await using session = await connect(
      account,
      { ...run, workarounds: history.workarounds },
      history.rememberedCapabilities.current,
    )
    await session.signIn(account.auth, credentialsOf(account, secret))
    history.signedInMs = run.nowMs()
    tally.note(`signed in to ${account.host} with ${session.signedInWith ?? ''}`)

    tally.stage('listing')
    const offered = session.capabilities
    const listing = await session.list()
    history.rememberedCapabilities.learn(offered, session.capabilitiesAfter)
    history.loginDelaySeconds = session.capabilities.loginDelaySeconds
    history.refuseLostUidls(listing)
    await run.departed.refuseListing(account, history.record, listing, run.options)
    const compared = await compare(listing, {
      ...run,
      account,
      session,
      record: history.record,
      exactSizes: history.sizes.exact,
      nowMs: run.nowMs(),
      agedMs: history.ages.agedMs,
      fetched: tally.totalMessages,
      skippedToo: run.restrictions.skippedToo,
    })
    const comparison = { ...compared, plan: await run.restrictions.wanted(compared.plan, session) }
    const { plan } = comparison
    if (!listing.hasUidls && plan.withoutUidl > 0) throw noUidls(account)
    tally.see(plan)
    tally.note(`${plan.listed} messages listed, ${plan.new} new, ${plan.fetch.length} to fetch`)
    guard(history.guardView(plan))
    if (run.options.dryRun) {
      tally.plan = plannedMessages(comparison, account)
      await session.quit()
      return false
    }
    const before = tally.delivered
    const cut = await this.#carryOut(comparison, session)
    const mayGoOn = !run.restrictions.stop.aborted && !this.#mustWait
    if (cut !== null) {
      const outOfStep = cut.code === 'ERR_POP3_PROTOCOL'
      if (!mayGoOn || (outOfStep && !session.pipelining && tally.delivered === before)) throw cut
      tally.note(cut.message)
      if (outOfStep) history.workarounds.oneAtATime()
      return true
    }
    if (tally.error !== null || !mayGoOn) return false
    // A session that brought nothing will not be followed by one that does.
    return this.#suspects === 'waiting' || (plan.left > 0 && tally.delivered > before)
  }

  /** The server may need a moment to let go of the mailbox (P137). */
  async #betweenSessions(): Promise<void> {
    const seconds = Math.max(this.#run.sessionGapSeconds, this.#history.loginDelaySeconds ?? 0)
    this.#tally.note(`going on with another session in ${seconds} s`)
    const { host, port, user, name } = this.#account
    this.#history.record = await this.#run.ledger.account(name, { host, port, user })
    await pause(seconds * 1000, undefined, { signal: this.#run.signal }).catch(() => {
      throw interrupted(this.#run.signal)
    })
  }

  /** Null: it came to QUIT. Else why it was cut for the sake of one message: another session may take the others. */
  async #carryOut(comparison: Comparison, session: Session): Promise<PopfetchError | null> {
    const { run, tally, history } = this.#poll
    const destinations = new AccountDestinations(this.#account, run, tally)
    const visit: Visit = { ...this.#poll, session, destinations }
    const fetches = await recordListing(comparison, visit)
    const jobs = await prepareJobs(this.#inThisSession(fetches, comparison.plan, session), visit)
    const transfer = new Transfer(visit)
    tally.begin(jobs.fetches)
    const keepAlive = setInterval(() => {
      // A failure shows in the next command.
      if (session.idle) session.noop().catch(() => {})
    }, KEEP_ALIVE_MS)
    try {
      await transfer.run(jobs)
      if (tally.error === null && session.botched instanceof ExpiredToken) throw session.botched
      if (tally.error === null && transfer.cut !== null && !run.signal.aborted) return transfer.cut
      if (tally.error !== null || session.botched !== null || run.signal.aborted) throw interrupted(run.signal)
      // The poll has failed then, but what was delivered before that is deleted as always.
      if (destinations.allDown !== null) tally.fail(destinations.allDown)
      tally.stage('finishing')
      const removed = await remove(transfer.done, comparison.plan, visit)
      // Some servers drop what was retrieved when QUIT comes, delivered or not (EXPIRE 0, P129): then better no QUIT.
      if (transfer.undelivered && session.capabilities.expireDays === 0) {
        tally.note('the session ends without QUIT: this server could drop what is not delivered yet')
        return null
      }
      await this.#quit(session, removed)
      history.alive(comparison.plan.listed - removed.length - (jobs.fetches.length - transfer.done.length))
      return null
    } finally {
      clearInterval(keepAlive)
    }
  }

  /** What ended a session before waits for one of its own, and where QUIT drops what was retrieved (EXPIRE 0) all that failed
   *  does: one that fails again must not cost the others their QUIT. */
  #inThisSession(fetches: readonly PlannedFetch[], { deletions }: Plan, session: Session): readonly PlannedFetch[] {
    const expires = session.capabilities.expireDays === 0
    const calm = fetches.filter((fetch) => (expires ? isFresh(fetch) : !endedSession(fetch)))
    const harmful = calm.length > 0 || (deletions.length > 0 && !this.#mustWait && !expires)
    if (calm.length === fetches.length || !harmful || this.#suspects === 'waiting') {
      this.#suspects = null
      return fetches
    }
    if (!expires) this.#suspects = 'waiting'
    return calm
  }

  /** Does the server want a longer pause before the next sign-in than this run has? */
  get #mustWait(): boolean {
    return (this.#history.loginDelaySeconds ?? 0) > LONGEST_WAIT_S
  }

  async #quit(session: Session, removed: readonly Removable[]): Promise<void> {
    try {
      const reply = await session.quit()
      if (reply.status !== 'ok') {
        this.#tally.note(`QUIT was answered "${reply.text}": some messages may not have been removed`)
        return
      }
    } catch (error) {
      // Nothing hangs on it when nothing was to be deleted; else the next listing tells (P135).
      if (removed.length > 0) throw error
      this.#tally.note(`QUIT got no answer: ${asPopfetchError(error).message}`)
      return
    }
    this.#tally.deleted += removed.length
    if (removed.length > 0) await this.#run.ledger.deleted(this.#account.name, removed)
  }
}
