// Polls many accounts at once, for one run or for months. Holds what their polls share, and replaces the part of it that a
// new configuration changes. How many run at once is decided in run/concurrency.ts; when to poll is decided by the caller.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Account, Configuration } from '../config/schema.ts'
import { asPopfetchError, PopfetchError } from '../errors.ts'
import type { AccountHealth, AccountRecord, Claimed, Ledger, Lease } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import { Migrated } from './plan/migrated.ts'
import { ChangedDeletes, confirmDeletes } from './plan/changed-deletes.ts'
import { Departed } from './plan/renamed-account.ts'
import { Destinations } from './run/destinations.ts'
import { readClock } from './rests/boot-clock.ts'
import { Doors } from './rests/doors.ts'
import { Paces } from './rests/paces.ts'
import { pollAccount } from './poll.ts'
import type { AccountReport, CheckReport, Observer, PollOptions } from './report.ts'
import { type Run, type RunRequest, SESSION_GAP_SECONDS, SESSION_LIMIT } from './run/run.ts'
import { type Restrictions, noRestrictions } from './run/restrictions.ts'
import { Concurrency, type Urgency } from './run/concurrency.ts'
import { boundOld, boundYoung } from './run/garbage.ts'
import { Tally } from './tally.ts'
import { LISTINGS_BYTES } from '../pop3/listing/room.ts'
import { MEMORY_BUDGET_BYTES, MemoryBudget } from './run/window.ts'

/** So many accounts are most of what lives in memory. */
const MANY_ACCOUNTS = 100

/** After a signal, what is complete may still be delivered for so long; the command line waits 10 s (N001). */
const LAST_DELIVERIES_MS = 8000

/** Polls each account once; reports in the order of `request.accounts`, and `told` is called with each as it comes. Rejects only on a bug of ours. */
export async function pollAll(
  request: RunRequest,
  told: (report: AccountReport) => void = () => {},
): Promise<readonly AccountReport[]> {
  await using poller = new Poller(request.configuration, request, Date.now())
  await poller.sweep()
  const { accounts, ledger, options } = request
  // A ledger that fails is told by each poll.
  if (options.yes && !options.dryRun) await confirmDeletes(ledger, accounts).catch(() => {})
  return await each(request.accounts, async (account) => {
    const report = await poller.poll(account, request.options)
    told(report)
    return report
  })
}

/** Signs in to each account and says what waits there; reports in the order of `request.accounts`. `thorough`: after a
 *  failure it also looks for the likely cause. `told` is called with each report as it comes. */
export function checkAll(
  request: RunRequest,
  { thorough = false, told = () => {} }: { thorough?: boolean; told?: (report: CheckReport) => void } = {},
): Promise<readonly CheckReport[]> {
  const concurrency = new Concurrency(request.configuration)
  return each(request.accounts, (account) =>
    concurrency.run(account, async () => {
      // A poll needs none of it.
      const { checkAccount } = await import('./check/check.ts')
      const report = await checkAccount(account, request, Date.now, thorough)
      told(report)
      return report
    }),
  )
}

async function each<T>(accounts: readonly Account[], work: (account: Account) => Promise<T>): Promise<readonly T[]> {
  return await Promise.all(accounts.map(work)).catch((error: unknown) => {
    throw asPopfetchError(error, 'process')
  })
}

export interface PollerContext {
  readonly ledger: Ledger
  readonly observer: Observer
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  /** Aborted: no new messages, sessions end without QUIT, what is complete is still delivered and recorded. */
  readonly signal: AbortSignal
  /** For tests: instead of SESSION_LIMIT. */
  readonly sessionLimit?: number
  readonly sessionGapSeconds?: number
  /** For a migration: how its polls differ from plain ones. */
  readonly restrictions?: (account: Account) => Restrictions
}

/** An account that was not given. */
export type Unclaimed = Exclude<Claimed, { readonly lease: Lease }>

/** What whoever plans polls says of one (daemon/schedule/). Must not throw. */
export interface Planning {
  /** See Claim.dueWithinMs. Asked each time that the account is asked for. */
  dueWithinMs(): number | null
  /** The account was given, and its poll begins; `record`: what is recorded of it. True: a person asks for it, no back-off holds. */
  begins(woken: boolean, record: AccountRecord | null): boolean
  /** Asked before the account is given back: how long until it is due again; null: that stays as it is. `health`: what is being recorded of
   *  it; null: the ledger tells. Where that could not be recorded, it is asked once more. */
  dueAgainMs(report: AccountReport, health: AccountHealth | null): Promise<number | null>
}

/** A poll that nobody planned: but for it, the account would not be due for its interval. */
function unplanned({ poll }: Account, { dryRun }: PollOptions): Planning {
  return {
    dueWithinMs: () => null,
    begins: () => false,
    dueAgainMs: ({ outcome }) =>
      Promise.resolve(!dryRun && (outcome === 'ok' || outcome === 'partial') ? poll.minMs : null),
  }
}

const atWork = new AsyncLocalStorage<string>()

/** The account on whose behalf the running code was started; null: none. Also right for an error that no promise caught. */
export function accountAtWork(): string | null {
  return atWork.getStore() ?? null
}

/** A configuration, and the destinations that were opened under it. */
interface OpenConfiguration {
  readonly configuration: Configuration
  readonly destinations: Destinations
  readonly departed: Departed
  readonly migrated: Migrated
  readonly changedDeletes: ChangedDeletes
  readonly looked: Set<string>
  polls: number
}

/** Disposing waits for the polls that run, then closes the destinations. */
export class Poller implements AsyncDisposable {
  readonly #context: PollerContext
  readonly #concurrency: Concurrency
  readonly #budget = new MemoryBudget(MEMORY_BUDGET_BYTES)
  readonly #listings = new MemoryBudget(LISTINGS_BYTES)
  readonly #doors: Doors
  readonly #paces: Paces
  readonly #deliveries = new AbortController()
  readonly #running = new Map<AbortController, { readonly account: string; readonly poll: Promise<unknown> }>()
  readonly #closing = new Set<Promise<void>>()
  readonly #onAbort: () => void
  #current: OpenConfiguration

  /** `onceSinceMs`: when the run began that polls each account once; null: it goes on for months. */
  constructor(configuration: Configuration, context: PollerContext, onceSinceMs: number | null = null) {
    boundYoung()
    if (configuration.accounts.length >= MANY_ACCOUNTS) boundOld()
    this.#context = context
    this.#doors = new Doors({ ledger: context.ledger, nowMs: Date.now, log: context.log, onceSinceMs })
    this.#paces = new Paces({ ledger: context.ledger, clock: readClock })
    this.#concurrency = new Concurrency(configuration)
    this.#current = this.#begin(configuration)
    this.#onAbort = () => {
      this.interrupt()
      setTimeout(() => this.#deliveries.abort(), LAST_DELIVERIES_MS).unref()
    }
    if (context.signal.aborted) this.#onAbort()
    else context.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Removes what killed runs left in the spool. */
  sweep(): Promise<void> {
    return this.#current.destinations.sweep()
  }

  /** Polls `account` as soon as the limits allow, under the configuration of that moment. The caller never polls one
   *  account twice at once. `stop` ends this poll alone, as the signal of all would. Rejects only on a bug of ours. */
  async poll(
    account: Account,
    options: PollOptions,
    urgency: Urgency = 'usual',
    stop: AbortSignal | null = null,
  ): Promise<AccountReport> {
    const told = await this.pollAsPlanned(account, options, urgency, unplanned(account, options), stop)
    return 'why' in told ? new Tally(account.name, this.#context.observer, Date.now).busy() : told
  }

  /** The same for whoever plans polls: `planning` is asked as said there. Nothing is polled where the account is not given. */
  async pollAsPlanned(
    account: Account,
    options: PollOptions,
    urgency: Urgency,
    planning: Planning,
    stop: AbortSignal | null = null,
  ): Promise<AccountReport | Unclaimed> {
    const isCrowded = (told: AccountReport | Unclaimed): boolean =>
      'why' in told && told.why === 'crowded' && !this.#context.signal.aborted && stop?.aborted !== true
    return await this.#concurrency.run(
      account,
      () => this.#claimed(account, options, stop, planning),
      urgency,
      isCrowded,
    )
  }

  /** Ends the sessions of polls that run (all, or that of one account), as a signal would. Nothing is lost, the next poll
   *  begins where they stopped. */
  interrupt(only: string | null = null): void {
    for (const [controller, { account }] of this.#running) {
      if (only === null || only === account) controller.abort(this.#context.signal.reason ?? interruption())
    }
  }

  /** Polls that begin from now on are under `configuration`; those that run finish under the old one. */
  configure(configuration: Configuration): void {
    const before = this.#current
    this.#current = this.#begin(configuration)
    this.#concurrency.limit(configuration)
    if (before.polls === 0) this.#end(before)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map(({ poll }) => poll))
    this.#context.signal.removeEventListener('abort', this.#onAbort)
    this.#end(this.#current)
    await Promise.all(this.#closing)
  }

  async #claimed(
    account: Account,
    options: PollOptions,
    stop: AbortSignal | null,
    planning: Planning,
  ): Promise<AccountReport | Unclaimed> {
    const { ledger, observer } = this.#context
    const restrictions = this.#context.restrictions?.(account) ?? noRestrictions
    // Whoever holds it for longer gives it back.
    if (restrictions.lease !== null) return await this.#poll(account, restrictions.lease, restrictions, options, stop)
    let claimed: Claimed
    try {
      const uses = this.#concurrency.sharesOf(account)
      claimed = await ledger.claim(account.name, { uses, dueWithinMs: planning.dueWithinMs() })
    } catch (error) {
      const tally = new Tally(account.name, observer, Date.now)
      tally.fail(asPopfetchError(error))
      return tally.report()
    }
    const { lease } = claimed
    if (lease === null) return claimed
    try {
      const eager = planning.begins(claimed.woken, lease.record) || options.eager
      const closing: { recorded: Promise<boolean> | null } = { recorded: null }
      const closes: Run['closes'] = (report, health, recorded) => {
        closing.recorded = this.#close(lease, planning, { report, health, recorded })
        // Awaited below, once the poll is over.
        closing.recorded.catch(() => {})
      }
      const report = await this.#poll(account, lease, restrictions, { ...options, eager }, stop, closes)
      if ((await closing.recorded) === true) return report
      const dueAgainMs = await planning.dueAgainMs(report, null)
      // In one transaction with the end of the lease. Where it fails, the account is due as before.
      if (dueAgainMs !== null) ledger.schedule(lease, dueAgainMs).catch(() => {})
      return report
    } finally {
      await lease[Symbol.asyncDispose]()
    }
  }

  /** Gives the account back in the same commit that records how its poll went. Resolves to whether that was recorded. */
  async #close(
    lease: Lease,
    planning: Planning,
    end: { readonly report: AccountReport; readonly health: AccountHealth; readonly recorded: Promise<void> },
  ): Promise<boolean> {
    const dueAgainMs = await planning.dueAgainMs(end.report, end.health)
    if (dueAgainMs !== null) this.#context.ledger.schedule(lease, dueAgainMs).catch(() => {})
    const [, recorded] = await Promise.all([
      lease[Symbol.asyncDispose](),
      end.recorded.then(
        () => true,
        () => false,
      ),
    ])
    return recorded
  }

  async #poll(
    account: Account,
    lease: Lease,
    restrictions: Restrictions,
    options: PollOptions,
    stop: AbortSignal | null,
    closes: Run['closes'] = null,
  ): Promise<AccountReport> {
    const opened = this.#current
    opened.polls++
    const controller = new AbortController()
    if (this.#context.signal.aborted) controller.abort(this.#context.signal.reason)
    using stopping = stop === null ? null : following(stop, controller)
    const poll = atWork.run(account.name, () =>
      pollAccount(account, lease, {
        ...this.#context,
        configuration: opened.configuration,
        accounts: opened.configuration.accounts,
        destinations: opened.destinations,
        doors: this.#doors,
        paces: this.#paces,
        departed: opened.departed,
        migrated: opened.migrated,
        changedDeletes: opened.changedDeletes,
        looked: opened.looked,
        options,
        budget: this.#budget,
        listings: this.#listings,
        signal: controller.signal,
        deliverySignal:
          stopping === null ? this.#deliveries.signal : AbortSignal.any([this.#deliveries.signal, stopping.deliveries]),
        nowMs: Date.now,
        sessionLimit: this.#context.sessionLimit ?? SESSION_LIMIT,
        sessionGapSeconds: this.#context.sessionGapSeconds ?? SESSION_GAP_SECONDS,
        restrictions,
        closes,
      }),
    )
    this.#running.set(controller, { account: account.name, poll })
    try {
      return await poll
    } finally {
      this.#running.delete(controller)
      opened.polls--
      if (opened.polls === 0 && opened !== this.#current) this.#end(opened)
    }
  }

  #begin(configuration: Configuration): OpenConfiguration {
    const destinations = new Destinations(configuration, this.#context.env, Date.now)
    const departed = new Departed(this.#context.ledger, configuration)
    const migrated = new Migrated(configuration, this.#context.env)
    const changedDeletes = new ChangedDeletes(this.#context.ledger, configuration, Date.now)
    return { configuration, destinations, departed, migrated, changedDeletes, looked: new Set(), polls: 0 }
  }

  #end({ destinations }: OpenConfiguration): void {
    const closing = destinations[Symbol.asyncDispose]().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}

/** Ends a poll when `stop` is aborted, and its deliveries some time later. */
function following(stop: AbortSignal, controller: AbortController): Disposable & { readonly deliveries: AbortSignal } {
  const deliveries = new AbortController()
  let timer: NodeJS.Timeout | null = null
  const onStop = (): void => {
    controller.abort(interruption())
    timer = setTimeout(() => deliveries.abort(), LAST_DELIVERIES_MS).unref()
  }
  if (stop.aborted) onStop()
  else stop.addEventListener('abort', onStop, { once: true })
  return {
    deliveries: deliveries.signal,
    [Symbol.dispose]() {
      stop.removeEventListener('abort', onStop)
      if (timer !== null) clearTimeout(timer)
    },
  }
}

function interruption(): PopfetchError {
  return new PopfetchError('ERR_ABORTED', 'interrupted', { scope: 'account', retry: 'soon' })
}
