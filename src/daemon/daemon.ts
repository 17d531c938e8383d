// The daemon (`popfetch --daemon`): its parts, the verbs of its control socket, its end.
//
// It is started in the background (detach.ts) and takes the one right to be the daemon of this ledger (lease.ts). It reads a
// configuration, and keeps it until a new one can be taken over whole (reload.ts). The scheduler (schedule/) knows when each
// account is due and has it polled; such a poll is the same as one from cron (poll/). After each poll the journal writes the
// log, the metrics count (http/), and the alarm tells a person when an account has failed for long. Commands reach the process
// through a socket (control/): `status`, `wake`, `reload`, `stop`. systemd hears that it is up and well (systemd.ts). An error
// that no promise catches ends the poll of one account, not the process (uncaught.ts). Told to stop, it begins no more polls,
// lets those that run record what they did, and ends within nine seconds. Signals, streams and exit codes are for the command
// line.
import { setTimeout as wait } from 'node:timers/promises'
import type { Configuration } from '../config/schema.ts'
import { FIRST_OF } from '../config/values/written.ts'
import { PopfetchError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import { retryAll } from '../poll/account/amend.ts'
import { Poller } from '../poll/poller.ts'
import { boundYoung } from '../poll/run/garbage.ts'
import type { Planned } from '../status/status.ts'
import { recordMissed } from '../status/remembered/missed.ts'
import { listedSignIns } from '../status/sign-ins.ts'
import { wantDaemon } from '../status/remembered/wanted-daemon.ts'
import { Alarm } from './alarm.ts'
import { type Clock, systemClock } from './schedule/clock.ts'
import { CutOff } from './schedule/cut-off.ts'
import { Endings } from './endings.ts'
import { Uncaught } from './uncaught.ts'
import { briefStatus, type Watched } from './http/watched.ts'
import { Rounds } from './notify/rounds.ts'
import { copyLedger } from '../poll/run/daily-copy.ts'
import { tidyLedger } from '../poll/account/tidy.ts'
import { ControlServer } from './control/server.ts'
import { CurrentConfiguration, type ReloadContext } from './reload.ts'
import { Reloads } from './reloads.ts'
import { Journal } from './journal.ts'
import { machineName } from '../poll/run/machine.ts'
import { ProcessNews } from './process-news.ts'
import { DaemonLease } from './lease.ts'
import { Systemd } from './systemd.ts'
import { type Answers, type Request, type Requests, socketPath } from './control/protocol.ts'
import { isAlone, type PollEnded, Scheduler, stopping } from './schedule/scheduler.ts'
import type { OwnProcess, Word } from './workers/protocol.ts'
import { Workers } from './workers/workers.ts'

/** From the order to stop to the end, whatever hangs. The command line would end the process after ten seconds. */
const LAST_WORK_MS = 9000
/** How often it looks for accounts that have failed for long. */
const LOOK_MS = 60_000
/** How often it looks whether the program of `accountsFrom` is to be asked: that is never more often than each ten seconds. */
const ASK_MS = 1000

export interface DaemonContext extends Pick<ReloadContext, 'only' | 'load' | 'prepare'> {
  readonly configuration: Configuration
  readonly ledger: Ledger
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  /** Aborted: shut down cleanly. */
  readonly signal: AbortSignal
  readonly version: string
  readonly clock?: Clock
  readonly random?: () => number
  /** Absent: it has no other processes of its own. */
  readonly workers?: { readonly others: number; readonly start: () => OwnProcess }
  /** For measurements. */
  readonly ended?: (ended: PollEnded) => void
}

export class Daemon implements AsyncDisposable {
  readonly #context: DaemonContext
  readonly #owned = new AsyncDisposableStack()
  readonly #stop = new AbortController()
  readonly #end = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<void>()
  readonly #journal: Journal
  readonly #poller: Poller
  readonly #scheduler: Scheduler
  readonly #uncaught: Uncaught
  readonly #alarm: Alarm
  readonly #rounds: Rounds
  readonly #news: ProcessNews
  readonly #systemd: Systemd
  readonly #sinceMs = Date.now()
  /** Somebody wants it to end, so it is not a failure when it does not run then. */
  #stopped = false
  #current: CurrentConfiguration | null = null
  readonly #endings: Endings
  readonly #reloads: Reloads
  #workers: Workers | null = null

  private constructor(context: DaemonContext) {
    const { configuration, ledger, log, env, clock = systemClock, random = Math.random } = context
    this.#context = context
    this.#journal = new Journal(log, clock.nowMs, (missed) => void recordMissed(ledger, this.#machine, missed))
    this.#systemd = new Systemd(env, process.pid)
    const { signal } = this.#stop
    const observer = {
      progress: (account: string) => this.#scheduler.heard(account),
      note: (account: string, text: string) => log.debug(text, { account }),
    }
    this.#poller = new Poller(configuration, { ledger, observer, log, env, signal })
    this.#scheduler = new Scheduler({
      poller: this.#poller,
      ledger,
      isAlone: () => isAlone(ledger, 1),
      clock,
      random,
      ended: (ended) => this.#ended(ended),
    })
    this.#uncaught = new Uncaught(this.#scheduler, clock.nowMs)
    this.#alarm = new Alarm({ ledger, log, nowMs: clock.nowMs })
    const inEffect = (): Configuration => this.#current?.configuration ?? configuration
    this.#news = new ProcessNews({ configuration: inEffect, log, env, nowMs: clock.nowMs, signal })
    this.#reloads = new Reloads({
      ledger,
      log,
      news: this.#news,
      elapsedMs: clock.elapsedMs,
      nowMs: clock.nowMs,
      current: () => this.#current,
      changed: () => this.#workers?.tell({ kind: 'reload' }),
    })
    this.#endings = new Endings(log, env)
    const watched = this.#watched()
    this.#rounds = new Rounds({
      ledger,
      log,
      env,
      nowMs: clock.nowMs,
      signal,
      configuration: inEffect,
      status: async () => await briefStatus(watched, await watched.signIns().catch(() => [])),
    })
    // Without this a rejection that nobody waits for would end the process.
    this.#end.promise.catch(() => {})
  }

  /** Rejects and leaves nothing behind. With ERR_BUSY when the ledger has a daemon already, with ERR_CONFIG when the socket or
   *  the metrics cannot be served, or with ERR_LEDGER. */
  static async start(context: DaemonContext): Promise<Daemon> {
    const daemon = new Daemon(context)
    try {
      await daemon.#start()
      return daemon
    } catch (error) {
      await daemon[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Resolves when it is to end: by `stop` or by the signal. Rejects with ERR_LEDGER when the ledger cannot be used any more. */
  get end(): Promise<void> {
    return this.#end.promise
  }

  /** Resolves `end`. The caller then disposes of the process. */
  stop(): void {
    this.#stopped = true
    this.#end.resolve()
  }

  /** Polls every account now, as if a person asked. */
  wake(): void {
    this.#wake(this.#current?.names ?? [])
  }

  /** Takes over the configuration as its file is now, whole or not at all. `yes`: what it changes of `delete` is meant. Resolves to
   *  what changed, a sentence each. Rejects with the error that keeps the old one in effect, and logs it. */
  reload({ yes }: { readonly yes: boolean }): Promise<readonly string[]> {
    return this.#reloads.reload(yes)
  }

  /** See Uncaught. */
  contain(thrown: unknown): boolean {
    return this.#uncaught.contain(thrown)
  }

  /** Shuts everything down cleanly, within nine seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#systemd.stopping()
    this.#stop.abort(stopping())
    this.#end.resolve()
    const limit = new AbortController()
    await Promise.race([
      Promise.all([
        this.#workers?.[Symbol.asyncDispose](),
        this.#scheduler[Symbol.asyncDispose]().then(() => this.#poller[Symbol.asyncDispose]()),
      ]),
      wait(LAST_WORK_MS, undefined, { signal: limit.signal }).catch(() => {}),
    ])
    limit.abort()
    // At worst `status --check` says that it should run.
    const { ledger } = this.#context
    if (this.#stopped) await wantDaemon(ledger, this.#machine, false).catch(() => {})
    await this.#owned.disposeAsync()
    this.#gone.resolve()
  }

  async #start(): Promise<void> {
    const { ledger, env, log, signal, configuration, version } = this.#context
    const machine = this.#machine
    const file = await socketPath(configuration.statePath, env)
    const ended = (error: PopfetchError): void => this.#end.reject(error)
    const lease = this.#owned.use(await DaemonLease.take({ ledger, machine, socket: file, signal, ended }))
    this.#every(LOOK_MS, () => void lease.renew())
    this.#every(LOOK_MS, boundYoung)
    await ledger.join({ machine, version })
    await this.#poller.sweep()
    this.#current = this.#owned.use(
      await CurrentConfiguration.begin(configuration, {
        ...this.#context,
        poller: this.#poller,
        scheduler: this.#scheduler,
        watched: this.#watched(),
        signal: this.#stop.signal,
      }),
    )
    const current = this.#current
    this.#owned.use(await ControlServer.listen(file, (request) => this.#answer(request, current)))

    const onAbort = (): void => this.stop()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    this.#owned.use(this.#rounds)
    await this.#reloads.begin()
    this.#every(ASK_MS, () => this.#reloads.askAgain())
    this.#every(LOOK_MS, () => void this.#look(current))
    this.#every(LOOK_MS, () => void this.#rounds.look())
    this.#every(LOOK_MS, () => void this.#endings.look(current.configuration))
    this.#every(LOOK_MS, () => void copyLedger(current.configuration, { ledger, log }))
    const { clock = systemClock, workers } = this.#context
    const tidy = { ledger, log, signal: this.#stop.signal }
    this.#every(LOOK_MS, () => void tidyLedger(current.configuration, { ...tidy, nowMs: clock.nowMs() }))
    this.#every(LOOK_MS, CutOff.begin(ledger, this.#scheduler, clock))
    const { watchdogMs } = this.#systemd
    if (watchdogMs !== null) this.#every(watchdogMs, () => this.#feed())
    if (workers !== undefined && workers.others > 0)
      this.#workers = new Workers({
        count: workers.others,
        start: workers.start,
        log,
        ended: (ended) => this.#endedElsewhere(ended),
      })
    // Where other machines share it, they are woken here, and this one there.
    if (ledger.spans === 'machines')
      this.#owned.use(
        ledger.heed((accounts) => {
          this.#scheduler.woken(accounts)
          this.#workers?.tell({ kind: 'wake', accounts })
        }),
      )
    await wantDaemon(ledger, this.#machine, true)
    this.#systemd.ready(current.names.length)
    log.info('started', { accounts: current.names.length, configuration: configuration.file, version })
  }

  /** What the web server may see and do. */
  #watched(): Watched {
    const { ledger, env, version, clock = systemClock } = this.#context
    const [plan, current] = [() => this.#plan, (): CurrentConfiguration | null => this.#current]
    const configuration = (): Configuration => current()?.configuration ?? this.#context.configuration
    const wake = (account: string | null): void => {
      const names = account === null ? (current()?.names ?? []) : [account]
      this.#wake(names)
    }
    return {
      ledger,
      get plan() {
        return plan()
      },
      get configured() {
        const { accounts, disabled } = configuration()
        return [...accounts, ...disabled].map(({ name }) => name)
      },
      get disabled() {
        return configuration().disabled.map(({ name }) => name)
      },
      get destinations() {
        return [...configuration().destinations.values()].flatMap(({ type, name }) => (type === FIRST_OF ? [] : [name]))
      },
      process: { pid: process.pid, sinceMs: this.#sinceMs, version, machine: this.#machine },
      lateness: this.#journal.lateness,
      nowMs: clock.nowMs,
      signIns: async () => await listedSignIns(configuration(), env),
      wake,
      retry: (account) => {
        const about = { nowMs: clock.nowMs(), signal: this.#stop.signal }
        const due = retryAll(ledger, account === null ? null : [account], about)
        due.then(
          () => wake(account),
          (error: unknown) => this.#context.log.warn('messages could not be made due', { error: String(error) }),
        )
      },
    }
  }

  /** As it was called when it started: under that name it is known to the others. */
  get #machine(): string {
    return machineName(this.#context.configuration)
  }

  /** What it plans, and its other processes do. */
  get #plan(): readonly Planned[] {
    const { plan } = this.#scheduler
    return this.#workers?.with(plan) ?? plan
  }

  /** As if a person asked. How the polls end is for the log. */
  #wake(names: readonly string[]): void {
    void this.#spread(names)
      .catch(() => {})
      .then(() => {
        for (const poll of this.#scheduler.wake(names, true)) poll.catch(() => {})
      })
  }

  /** Where others share the work, they take their part of what is woken. */
  async #spread(names: readonly string[]): Promise<void> {
    const { ledger } = this.#context
    if (this.#workers === null && ledger.spans === 'machine') return
    await ledger.wake(names)
    this.#workers?.tell({ kind: 'wake', accounts: names })
  }

  /** Another process has polled an account of ours. */
  #endedElsewhere({ account: name, thrown, waitMs, ...ended }: Extract<Word, { kind: 'ended' }>): void {
    const account = this.#current?.configuration.accounts.find((each) => each.name === name)
    if (account === undefined) return
    this.#scheduler.polledElsewhere(name, ended.report, waitMs)
    this.#ended({ account, ...ended, waitMs, thrown })
  }

  #every(ms: number, act: () => void): void {
    const timer = setInterval(act, ms)
    this.#owned.defer(() => clearInterval(timer))
  }

  #ended(ended: PollEnded): void {
    const { report } = ended
    this.#journal.ended(ended)
    this.#current?.metrics?.ended(ended)
    this.#rounds.ended(report)
    this.#news.ended(report)
    this.#context.ended?.(ended)
    if (this.#current !== null) void this.#endings.look(this.#current.configuration)
    // A ledger that is damaged, or that a newer popfetch has taken over (N040, replaced program), fails for all accounts.
    if (report.error?.code === 'ERR_LEDGER' && report.error.retry === 'never') {
      const { message } = report.error
      this.#end.reject(new PopfetchError('ERR_LEDGER', message, { scope: 'process', retry: 'never' }))
    }
  }

  /** While a poll hangs, systemd hears nothing, and starts the process again (N035, alive but stuck). */
  #feed(): void {
    if (this.#plan.every(({ overdue }) => !overdue)) this.#systemd.alive()
  }

  async #look({ names, configuration }: CurrentConfiguration): Promise<void> {
    this.#journal.lateness.keep(configuration.accounts)
    const hangs = this.#plan.flatMap(({ account, overdue }) => (overdue ? [account] : []))
    await this.#alarm.look(configuration.daemon, new Set(names), new Set(hangs))
  }

  async #answer(request: Request, current: CurrentConfiguration): Promise<Answers[keyof Answers]> {
    const { pid } = process
    switch (request.verb) {
      case 'status': {
        const { file } = current.configuration
        const { version } = this.#context
        const { late } = this.#journal.lateness
        return { pid, sinceMs: this.#sinceMs, version, file, accounts: this.#plan, late }
      }
      case 'wake':
        return await this.#woken(request, current)
      case 'reload':
        return { changes: await this.reload(request) }
      case 'stop':
        this.stop()
        await this.#gone.promise
        return { pid }
    }
  }

  async #woken(request: Requests['wake'], current: CurrentConfiguration): Promise<Answers['wake']> {
    const { names } = current
    const accounts = request.accounts.length === 0 ? names : request.accounts
    const known = new Set(names)
    if (request.mark !== null) {
      const same = current.isMarked(request.mark) && accounts.every((name) => known.has(name))
      if (!same) return { accounts, reports: null }
    }
    if (request.eager) await this.#spread(accounts.filter((name) => known.has(name)))
    const polls = this.#scheduler.wake(accounts, request.eager)
    if (request.wait) return { accounts, reports: await Promise.all(polls) }
    // How the polls end is for the log; an unknown name is refused at once.
    for (const poll of polls) poll.catch(() => {})
    await polls[accounts.findIndex((name) => !known.has(name))]
    return { accounts, reports: null }
  }
}
