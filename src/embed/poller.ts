// The poller that an embedding program holds. It opens the ledger and polls by the very rooms that the command line uses: poll/ for a
// poll, daemon/schedule/ for when. Who may call what, and what is promised, is options.ts.
import path from 'node:path'
import type { Account, Configuration } from '../config/schema.ts'
import { resolvePath, stateFolder } from '../config/paths.ts'
import { openLedger } from '../config/state/open-ledger.ts'
import { isAlone, Scheduler, type PollEnded } from '../daemon/schedule/scheduler.ts'
import { systemClock } from '../daemon/schedule/clock.ts'
import { refuseUnsafeEnvironment } from '../environment.ts'
import { PopfetchError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { handedLog, type Log, silentLog } from '../log.ts'
import { confirmDeletes } from '../poll/plan/changed-deletes.ts'
import { checkAll, type Planning, Poller as CorePoller } from '../poll/poller.ts'
import type { AccountReport, CheckReport, Observer, PollOptions } from '../poll/report.ts'
import type { Urgency } from '../poll/run/concurrency.ts'
import { configurationOf, type Places } from './configuration.ts'
import { placeOfLedger } from './ledger.ts'
import { Told } from './listeners.ts'
import type {
  CheckCall,
  LoadedConfiguration,
  PollCall,
  Poller,
  PollerEvents,
  PollerOptions,
  Surroundings,
  Wanted,
  WrittenConfiguration,
} from './options.ts'

/** See embed.ts. */
export async function createPoller(options: PollerOptions): Promise<Poller> {
  if (typeof options !== 'object' || options === null) throw usage('createPoller: expected an object with options')
  refuseUnsafeEnvironment(process.env)
  const places = placesOf(options)
  const configuration = await configurationOf(options, places)
  const own = typeof options.ledger === 'string' ? await openLedger(places, { env: places.env }) : null
  const ledger = own ?? options.ledger
  try {
    if (typeof ledger === 'string') throw usage('createPoller: expected a ledger')
    const poller = new Embedded(options, { configuration, places, ledger, own })
    await poller.begin()
    return poller
  } catch (error) {
    await own?.[Symbol.asyncDispose]()
    throw error
  }
}

interface Opened {
  readonly configuration: Configuration
  readonly places: Places
  readonly ledger: Ledger
  /** The ledger, if it is to be closed at the end. */
  readonly own: AsyncDisposable | null
}

class Embedded implements Poller {
  readonly ledger: Ledger
  readonly #places: Places
  readonly #log: Log
  readonly #env: NodeJS.ProcessEnv
  readonly #told: Told
  readonly #stop = new AbortController()
  readonly #observer: Observer
  readonly #polls: CorePoller
  readonly #unwatch: () => void
  #wanted: Wanted
  #configuration: Configuration
  #scheduler: Scheduler | null = null
  #running: Promise<void> | null = null
  /** The last change of what is polled; each begins when the one before it has ended. */
  #changed: Promise<void> = Promise.resolve()
  readonly #own: AsyncDisposable | null
  #end: Promise<void> | null = null

  constructor(options: Wanted & Surroundings, { configuration, places, ledger, own }: Opened) {
    const { log, env = process.env, signal } = options
    this.ledger = ledger
    this.#own = own
    this.#places = places
    this.#wanted = options
    this.#configuration = configuration
    this.#log = log === undefined ? silentLog : handedLog(log)
    this.#env = { ...env }
    this.#told = new Told(this.#log)
    this.#observer = {
      progress: (account, progress) => {
        this.#scheduler?.heard(account)
        this.#told.tell('progress', { ...progress, account })
      },
      note: (account, text) => {
        this.#log.debug(text, { account })
        this.#told.tell('note', { account, text })
      },
      settled: (account, message) => this.#told.tell('message', { ...message, account }),
    }
    const onAbort = (): void => this.#stop.abort(ended())
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    this.#unwatch = () => signal?.removeEventListener('abort', onAbort)
    const context = { ledger, observer: this.#observer, log: this.#log, env: this.#env, signal: this.#stop.signal }
    this.#polls = new CorePoller(configuration, context)
  }

  /** Removes what killed runs left; says what is doubtful about the configuration. */
  async begin(): Promise<void> {
    this.#warn()
    await this.#polls.sweep()
  }

  get accounts(): readonly string[] {
    return this.#configuration.accounts.map(({ name }) => name)
  }

  async poll(call: PollCall = {}): Promise<readonly AccountReport[]> {
    const accounts = this.#named(call.accounts)
    const { dryRun = false, limit = null, all = false, acceptNewIds = false, markSeen = false } = call
    const { yes = false, eager = false, signal = null } = call
    if (limit !== null && !(Number.isInteger(limit) && limit >= 1)) throw usage('poll: expected a limit of 1 or more')
    const options: PollOptions = { dryRun, limit, all, acceptNewIds, markSeen, yes, eager }
    // A ledger that fails is told by each poll.
    if (yes && !dryRun) await confirmDeletes(this.ledger, accounts).catch(() => {})
    return await Promise.all(
      accounts.map(async (account) => {
        const report = await this.#polls.poll(account, options, 'now', signal)
        this.#told.tell('report', report)
        return report
      }),
    )
  }

  async check({ accounts, signal, thorough = false }: CheckCall = {}): Promise<readonly CheckReport[]> {
    const options = {
      dryRun: true,
      limit: null,
      all: false,
      acceptNewIds: false,
      markSeen: false,
      yes: false,
      eager: true,
    }
    const request = {
      configuration: this.#configuration,
      accounts: this.#named(accounts),
      ledger: this.ledger,
      options,
      observer: this.#observer,
      log: this.#log,
      env: this.#env,
      signal: signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]),
    }
    return await checkAll(request, { thorough })
  }

  async run({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#named()
    if (this.#running !== null) throw usage('run: it runs already')
    this.#running = this.#run(signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]))
    try {
      await this.#running
    } finally {
      this.#running = null
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<void>()
    const onAbort = (): void => over.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    const ended = ({ report }: PollEnded): void => {
      this.#told.tell('report', report)
      const { error } = report
      // A ledger that is damaged, or that a newer popfetch has taken over, fails for all accounts.
      if (error?.code !== 'ERR_LEDGER' || error.retry !== 'never') return
      over.reject(new PopfetchError('ERR_LEDGER', error.message, { scope: 'process', retry: 'never' }))
    }
    const poller = {
      pollAsPlanned: (account: Account, options: PollOptions, urgency: Urgency, planning: Planning) =>
        this.#polls.pollAsPlanned(account, options, urgency, planning, signal),
      interrupt: (only?: string | null) => this.#polls.interrupt(only),
    }
    const scheduler = new Scheduler({
      poller,
      ledger: this.ledger,
      isAlone: () => isAlone(this.ledger, 0),
      clock: systemClock,
      random: () => Math.random(),
      ended,
    })
    try {
      if (signal.aborted) return
      this.#scheduler = scheduler
      await this.#inTurn(() => scheduler.schedule(this.#configuration.accounts))
      await over.promise
    } finally {
      this.#scheduler = null
      signal.removeEventListener('abort', onAbort)
      await scheduler[Symbol.asyncDispose]()
    }
  }

  configure(changes: Partial<WrittenConfiguration> | LoadedConfiguration): Promise<void> {
    return this.#inTurn(() => this.#configure(changes))
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const change = this.#changed.then(act)
    this.#changed = change.catch(() => {})
    return change
  }

  async #configure(changes: Partial<WrittenConfiguration> | LoadedConfiguration): Promise<void> {
    this.#named()
    const wanted = merged(this.#wanted, changes)
    const configuration = await configurationOf(wanted, this.#places)
    await this.#scheduler?.schedule(configuration.accounts)
    this.#wanted = wanted
    this.#configuration = configuration
    this.#polls.configure(configuration)
    this.#warn()
  }

  on<Name extends keyof PollerEvents>(event: Name, listener: (told: PollerEvents[Name]) => unknown): Disposable {
    if (!this.#told.knows(event)) throw usage(`on: there is no event ${String(event)}`)
    if (typeof listener !== 'function') throw usage('on: expected a function that listens')
    return this.#told.add(event, listener)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= this.#ended()
    return this.#end
  }

  async #ended(): Promise<void> {
    this.#stop.abort(ended())
    this.#unwatch()
    await this.#running?.catch(() => {})
    await this.#changed
    await this.#polls[Symbol.asyncDispose]()
    await this.#own?.[Symbol.asyncDispose]()
  }

  #named(names?: readonly string[]): readonly Account[] {
    if (this.#stop.signal.aborted) throw usage('the poller has ended')
    const { accounts } = this.#configuration
    if (names === undefined) return accounts
    const unknown = names.find((name) => !accounts.some((account) => account.name === name))
    if (unknown !== undefined) {
      const isDisabled = this.#configuration.disabled.some(({ name }) => name === unknown)
      throw usage(isDisabled ? `the account ${unknown} is disabled` : `there is no account ${unknown}`)
    }
    return accounts.filter(({ name }) => names.includes(name))
  }

  #warn(): void {
    for (const warning of this.#configuration.warnings) this.#log.warn(warning)
  }
}

function placesOf(options: PollerOptions): Places {
  const { ledger, folder, base = process.cwd(), env = process.env } = options
  const from = path.resolve(base)
  const resolve = (text: string): string => resolvePath(text, from, env)
  if (typeof ledger === 'string' && ledger !== '') {
    const configuration = 'configuration' in options ? options.configuration : null
    const { statePath, postgres } = placeOfLedger(ledger, configuration, { base: from, env })
    if (postgres !== null && folder !== undefined)
      return { base: from, statePath: path.join(resolve(folder), 'ledger'), postgres, env }
    if (folder !== undefined && resolve(folder) !== stateFolder({ statePath }))
      throw usage(
        'createPoller: expected no folder beside the path of a ledger: its files lie in the folder of the ledger',
      )
    return { base: from, statePath, postgres, env }
  }
  if (typeof ledger !== 'object' || ledger === null || typeof ledger.lease !== 'function')
    throw usage('createPoller: expected a ledger: the path of a file, or a ledger of your own')
  if (typeof folder !== 'string' || folder === '')
    throw usage('createPoller: expected a folder beside a ledger of your own, for large messages under way')
  return { base: from, statePath: path.join(resolve(folder), 'state.db'), postgres: null, env }
}

/** What is not named stays as it is. */
function merged(before: Wanted, changes: Partial<WrittenConfiguration> | LoadedConfiguration): Wanted {
  if ('configuration' in changes) return changes
  if (!('configuration' in before)) return { ...before, ...changes }
  const { accounts } = changes
  if (accounts === undefined) throw usage('configure: expected accounts, or a configuration')
  return { ...changes, accounts }
}

function ended(): PopfetchError {
  return new PopfetchError('ERR_ABORTED', 'the poller is ending', { scope: 'process', retry: 'soon' })
}

function usage(text: string): PopfetchError {
  return new PopfetchError('ERR_USAGE', text, { scope: 'process', retry: 'never' })
}
