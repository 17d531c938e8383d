// One account, polled once: the story of the program on one page. lease → session → sign in → list → compare → guard →
// retrieve, deliver and record → remove → quit → remember how it went. What each step promises is told where it lives.
// The one rule: nothing is deleted on doubt. Whatever goes wrong, the session ends without QUIT and the mail stays.
import type { Account } from '../config/schema.ts'
import { asPopfetchError, PopfetchError } from '../errors.ts'
import type { AccountRecord, EntryKey } from '../ledger/ledger.ts'
import type { Session } from '../pop3/session.ts'
import { type AgeClock, ageClock } from './age-clock.ts'
import { isPaused, nextHealth, secretMark } from './backoff.ts'
import { guard } from './guard.ts'
import { compare } from './listing.ts'
import type { Plan } from './plan.ts'
import { remove } from './removal.ts'
import type { AccountReport } from './report.ts'
import type { RowSet } from './row-set.ts'
import type { Run } from './run.ts'
import { connect, secretOf } from './sign-in.ts'
import { SizeWatch } from './sizes.ts'
import { Tally } from './tally.ts'
import { Targets } from './targets.ts'
import { newIntent, Transfer } from './transfer.ts'
import { Window } from './window.ts'

/** Servers that close a session after a minute or so of silence want a word while a slow destination is at work (P149). */
const KEEP_ALIVE_MS = 20_000

/** Never rejects: what went wrong is in the report. */
export async function pollAccount(account: Account, run: Run): Promise<AccountReport> {
  const tally = new Tally(account.name, run.observer, run.nowMs)
  try {
    await using lease = await run.ledger.lease(account.name)
    if (lease === null) {
      tally.busy()
      return tally.report()
    }
    const { host, port, user } = account
    const record = await run.ledger.account(account.name, { host, port, user })
    return await new Poll(account, record, run, tally).run()
  } catch (error) {
    tally.fail(asPopfetchError(error))
    return tally.report()
  }
}

class Poll {
  readonly #account: Account
  readonly #record: AccountRecord
  readonly #run: Run
  readonly #tally: Tally
  readonly #sizes: SizeWatch
  readonly #ages: AgeClock
  readonly #facts: Record<string, string | null> = {}
  #secretMark: number | null = null
  #signedInMs: number | null = null
  #loginDelaySeconds: number | null = null

  constructor(account: Account, record: AccountRecord, run: Run, tally: Tally) {
    this.#account = account
    this.#record = record
    this.#run = run
    this.#tally = tally
    this.#sizes = new SizeWatch(record.facts['sizes'] !== 'hints')
    const { clock, clockBefore } = record.facts
    const time = (fact: string | undefined): number | null => (fact === undefined ? null : Number(fact))
    this.#ages = ageClock({ lastMs: time(clock), beforeMs: time(clockBefore) }, run.nowMs())
  }

  async run(): Promise<AccountReport> {
    const { options, nowMs } = this.#run
    let secret: string | null = null
    if (!options.eager && isPaused(this.#record, nowMs())) {
      // A refused password that was changed meanwhile is worth a try at once (N010).
      secret = this.#record.refusals === 0 ? null : await this.#secret().catch(() => null)
      if (secret === null || this.#secretMark === this.#record.secretMark) {
        this.#tally.paused()
        return this.#tally.report(this.#record.error)
      }
    }
    try {
      await this.#poll(secret ?? (await this.#secret()))
    } catch (error) {
      this.#tally.fail(asPopfetchError(error))
    }
    await this.#remember()
    return this.#tally.report()
  }

  async #secret(): Promise<string> {
    const secret = await secretOf(this.#account, this.#run)
    const salt = this.#record.facts['salt'] ?? newIntent()
    this.#facts['salt'] = salt
    this.#secretMark = secretMark(salt, secret)
    return secret
  }

  async #poll(password: string): Promise<void> {
    const { account, tally } = { account: this.#account, tally: this.#tally }
    const { nowMs, options } = this.#run
    tally.stage('connecting')
    await using session = await connect(account, {
      ...this.#run,
      pipelining: this.#record.facts['pipelining'] !== 'off',
    })
    await session.signIn(account.auth, { user: account.user, password })
    this.#signedInMs = nowMs()
    tally.note(`signed in to ${account.host} with ${session.signedInWith ?? ''}`)

    tally.stage('listing')
    const listing = await session.list()
    this.#loginDelaySeconds = session.capabilities.loginDelaySeconds
    const { plan, rows, returned } = await compare(listing, {
      ...this.#run,
      account,
      session,
      record: this.#record,
      exactSizes: this.#sizes.exact,
      nowMs: nowMs(),
      agedMs: this.#ages.agedMs,
    })
    if (!listing.hasUidls && plan.withoutUidl > 0) throw noUidls(account)
    tally.listed = plan.listed
    tally.new = plan.new
    tally.skipped = plan.skipped
    tally.note(`${plan.listed} messages listed, ${plan.new} new, ${plan.fetch.length} to fetch`)
    guard(this.#guardView(plan))
    if (options.dryRun) {
      tally.plan = plannedMessages(plan, account)
      await session.quit()
      return
    }
    await this.#noteAbsent(plan, rows, returned)
    await this.#carryOut(plan, session)
  }

  async #carryOut(plan: Plan, session: Session): Promise<void> {
    const { account, run, tally, sizes } = {
      account: this.#account,
      run: this.#run,
      tally: this.#tally,
      sizes: this.#sizes,
    }
    await this.#recordUnfetched(plan)
    const jobs = await new Targets(account, run, tally).prepare(plan.fetch)
    tally.totalMessages = jobs.length
    tally.totalBytes = jobs.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
    tally.stage('fetching')
    const transfer = new Transfer({ account, run, session, sizes, tally, window: new Window(run.budget) })
    const keepAlive = setInterval(() => {
      // A failure shows in the next command.
      if (session.idle) session.noop().catch(() => {})
    }, KEEP_ALIVE_MS)
    try {
      await transfer.run(jobs)
    } finally {
      clearInterval(keepAlive)
    }
    if (tally.error !== null || session.botched !== null || run.signal.aborted) throw interrupted(run.signal)

    tally.stage('finishing')
    const removed = await remove(transfer.done, plan, {
      account,
      run,
      session,
      sizes,
      tally,
      agedMs: this.#ages.agedMs,
    })
    // Some servers drop what was retrieved when QUIT comes, delivered or not (EXPIRE 0, P129): then better no QUIT.
    if (transfer.undelivered && session.capabilities.expireDays === 0) {
      tally.note('the session ends without QUIT: this server could drop what is not delivered yet')
      return
    }
    await this.#quit(session, removed)
    this.#facts['alive'] = String(plan.listed - removed.length - jobs.length + transfer.done.length)
  }

  /** What the listing lacks is gone, unless it lacks so much that it may not be the whole truth (P083, P099, P100). */
  async #noteAbsent(plan: Plan, rows: RowSet, returned: readonly EntryKey[]): Promise<void> {
    const { ledger } = this.#run
    const { name } = this.#account
    if (returned.length > 0) await ledger.returned(name, returned)
    const present = this.#record.known - (await ledger.absent(name))
    if (rows.size < present && plan.listed > 0 && plan.listed >= present / 2) await ledger.gone(name, rows)
  }

  /** What is known without RETR: skipped by `first`, too large, begun too often. */
  async #recordUnfetched(plan: Plan): Promise<void> {
    const { ledger } = this.#run
    const name = this.#account.name
    const keyed = ({
      uidl,
      copy,
      sizeBytes,
    }: Plan['holds'][number] | Plan['fetch'][number] | NonNullable<Plan['seen']>[number]) => ({
      key: { uidl, copy },
      listedBytes: sizeBytes,
    })
    if (plan.seen !== null) await ledger.start(name, plan.seen.map(keyed))
    if (plan.holds.length > 0) {
      await ledger.hold(
        name,
        plan.holds.map((hold) => ({ ...keyed(hold), reason: hold.reason })),
      )
    }
    this.#tally.held += plan.holds.length
    for (const { uidl, reason } of plan.holds) this.#tally.problem({ uidl, kind: 'held', reason })
    if (plan.withoutUidl > 0) {
      this.#tally.note(`${plan.withoutUidl} messages have no UIDL and are left alone`)
    }
  }

  async #quit(session: Session, removed: Awaited<ReturnType<typeof remove>>): Promise<void> {
    const { ledger } = this.#run
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
    this.#tally.deleted = removed.length
    if (removed.length > 0) await ledger.deleted(this.#account.name, removed)
  }

  #guardView(plan: Plan) {
    const { options, configuration } = this.#run
    const alive = this.#record.facts['alive']
    return {
      account: this.#account.name,
      plan,
      hasHistory: this.#record.known > 0,
      lastAlive: alive === undefined ? null : Number(alive),
      lastDelete: this.#record.facts['delete'] ?? null,
      delete: deleteText(this.#account),
      firstWritten: this.#account.first.kind !== 'default',
      onlyMaildirs: this.#account.deliver.every((name) => configuration.destinations.get(name)?.type === 'maildir'),
      yes: options.yes || options.dryRun,
      acceptNewIds: options.acceptNewIds || options.dryRun,
    }
  }

  /** How it went, for the next poll. A ledger that fails now costs only that. */
  async #remember(): Promise<void> {
    const { options, nowMs, ledger } = this.#run
    const { error } = this.#tally
    if (options.dryRun || error?.code === 'ERR_ABORTED') return
    const { host, port, user } = this.#account
    if (error === null) {
      this.#facts['delete'] = deleteText(this.#account)
      const { lastMs, beforeMs } = this.#ages.checkpoints
      this.#facts['clock'] = lastMs === null ? null : String(lastMs)
      this.#facts['clockBefore'] = beforeMs === null ? null : String(beforeMs)
      this.#facts['sizes'] = this.#sizes.exact ? 'exact' : 'hints'
    }
    try {
      await ledger.finish(this.#account.name, {
        identity: { host, port, user },
        health: nextHealth(
          this.#record,
          {
            error,
            secretMark: this.#secretMark,
            signedInMs: this.#signedInMs,
            loginDelaySeconds: this.#loginDelaySeconds,
          },
          nowMs(),
        ),
        facts: this.#facts,
      })
    } catch (failure) {
      this.#tally.fail(asPopfetchError(failure))
    }
  }
}

function deleteText({ delete: policy }: Account): string {
  return policy.kind === 'age' ? `${policy.ageMs / 86_400_000}d` : policy.kind
}

/** The tally has the reason, if it is not the signal. */
function interrupted(signal: AbortSignal): PopfetchError {
  return new PopfetchError('ERR_ABORTED', signal.aborted ? 'interrupted by a signal' : 'the session ended early', {
    scope: 'account',
    retry: 'soon',
  })
}

function noUidls({ name }: Account): PopfetchError {
  return new PopfetchError(
    'ERR_NO_UIDL',
    `the server has no UIDL, so popfetch could not tell what it already fetched: ${name} cannot be polled`,
    { scope: 'account', retry: 'never' },
  )
}

const PLAN_SHOWN = 1000

function plannedMessages(plan: Plan, account: Account): AccountReport['plan'] {
  const line =
    (action: AccountReport['plan'][number]['action'], destinations: readonly string[]) =>
    ({ uidl, sizeBytes }: { readonly uidl: string; readonly sizeBytes: number | null }) => ({
      uidl,
      sizeBytes,
      action,
      destinations,
    })
  return [
    ...plan.fetch.map(line('fetch', account.deliver)),
    ...plan.deletions.map(line('delete', [])),
    ...plan.holds.map(line('hold', [])),
    ...(plan.seen ?? []).map(line('skip', [])),
  ].slice(0, PLAN_SHOWN)
}
