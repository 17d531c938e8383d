// A process that a daemon started to share its work (`--workers`): it plans and polls like the daemon, by the same ledger, and has no
// socket, no page and no log. What it would write and tell, the daemon hears from it. It ends with the daemon, however that ends.
import { withUnchanged } from '../../config/accounts/unchanged.ts'
import type { Configuration } from '../../config/schema.ts'
import { setTimeout as wait } from 'node:timers/promises'
import { asPopfetchError, PopfetchError } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import type { Log } from '../../log.ts'
import { Poller } from '../../poll/poller.ts'
import { machineName } from '../../poll/run/machine.ts'
import { type Clock, systemClock } from '../schedule/clock.ts'
import { type PollEnded, Scheduler } from '../schedule/scheduler.ts'
import { stackOf } from '../journal.ts'
import { Uncaught } from '../uncaught.ts'
import type { Channel, Order, Word } from './protocol.ts'

/** From the order to stop to the end, whatever hangs. */
const LAST_WORK_MS = 9000

export interface WorkerContext {
  readonly configuration: Configuration
  /** Names of the accounts to poll; empty: all. */
  readonly only: readonly string[]
  /** Reads the configuration again. */
  readonly load: () => Promise<Configuration>
  readonly ledger: Ledger
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  /** Aborted: shut down cleanly. */
  readonly signal: AbortSignal
  readonly version: string
  readonly daemon: Channel<Word, Order>
  readonly clock?: Clock
  readonly random?: () => number
}

export class Worker implements AsyncDisposable {
  readonly #context: WorkerContext
  readonly #stop = new AbortController()
  readonly #end = Promise.withResolvers<void>()
  readonly #poller: Poller
  readonly #scheduler: Scheduler
  readonly #uncaught: Uncaught
  #configuration: Configuration
  #reloading: Promise<void> = Promise.resolve()

  private constructor(context: WorkerContext) {
    const { configuration, ledger, log, env, clock = systemClock, random = Math.random } = context
    this.#context = context
    this.#configuration = configuration
    const observer = {
      progress: (account: string) => this.#scheduler.heard(account),
      note: (account: string, text: string) => log.debug(text, { account }),
    }
    this.#poller = new Poller(configuration, { ledger, observer, log, env, signal: this.#stop.signal })
    this.#scheduler = new Scheduler({
      poller: this.#poller,
      ledger,
      // The daemon is there.
      isAlone: () => Promise.resolve(false),
      clock,
      random,
      ended: (ended) => this.#ended(ended),
    })
    this.#uncaught = new Uncaught(this.#scheduler, clock.nowMs)
  }

  /** Rejects with ERR_LEDGER. */
  static async start(context: WorkerContext): Promise<Worker> {
    const worker = new Worker(context)
    const { ledger, configuration, signal, daemon } = context
    await ledger.join({ machine: machineName(configuration), version: context.version })
    await worker.#scheduler.schedule(worker.#accounts(configuration))
    const onAbort = (): void => worker.#end.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    daemon.listen((order) => worker.#obey(order), onAbort)
    daemon.say({ kind: 'up' })
    return worker
  }

  /** Resolves when it is to end. */
  get end(): Promise<void> {
    return this.#end.promise
  }

  /** See Uncaught. */
  contain(thrown: unknown): boolean {
    return this.#uncaught.contain(thrown)
  }

  /** Within nine seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new PopfetchError('ERR_ABORTED', 'the daemon is stopping', { scope: 'process', retry: 'soon' }))
    this.#end.resolve()
    const limit = new AbortController()
    await Promise.race([
      this.#scheduler[Symbol.asyncDispose]().then(() => this.#poller[Symbol.asyncDispose]()),
      wait(LAST_WORK_MS, undefined, { signal: limit.signal }).catch(() => {}),
    ])
    limit.abort()
  }

  #obey(order: Order): void {
    switch (order.kind) {
      case 'ping': {
        const { plan } = this.#scheduler
        const names = (wanted: (one: (typeof plan)[number]) => boolean): readonly string[] =>
          plan.filter(wanted).map(({ account }) => account)
        this.#context.daemon.say({
          kind: 'alive',
          polling: names(({ polling }) => polling),
          overdue: names(({ overdue }) => overdue),
        })
        break
      }
      case 'wake':
        this.#scheduler.woken(order.accounts)
        break
      case 'reload':
        this.#reloading = this.#reloading.then(() => this.#reload())
        break
      case 'stop':
        this.#end.resolve()
        break
    }
  }

  /** The daemon has read it and found it good, so it is only read again here. */
  async #reload(): Promise<void> {
    const { load, log } = this.#context
    try {
      const configuration = await withUnchanged(this.#configuration, await load())
      await this.#scheduler.schedule(this.#accounts(configuration))
      this.#poller.configure(configuration)
      this.#configuration = configuration
    } catch (error) {
      // Restarted by the daemon, it reads what is there then.
      log.warn('a worker could not reload the configuration: it is restarted', {
        error: asPopfetchError(error).message,
      })
      this.#end.resolve()
    }
  }

  #accounts({ accounts }: Configuration): Configuration['accounts'] {
    const wanted = new Set(this.#context.only)
    return wanted.size === 0 ? accounts : accounts.filter(({ name }) => wanted.has(name))
  }

  #ended({ account: { name: account }, report, health, lateMs, waitMs, thrown }: PollEnded): void {
    const stack = thrown === null ? null : stackOf(thrown)
    this.#context.daemon.say({ kind: 'ended', account, report, health, lateMs, waitMs, thrown: stack })
  }
}
