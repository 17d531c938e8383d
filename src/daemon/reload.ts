// The configuration that the daemon works by, and how a new one takes its place. One rule: a new one is taken over
// whole or not at all, so all that may fail is tried before anything is changed.
import { isDeepStrictEqual } from 'node:util'
import { withUnchanged } from '../config/accounts/unchanged.ts'
import type { Listen } from '../config/daemon/daemon.ts'
import type { Account, Configuration } from '../config/schema.ts'
import { resolveSecret, sameConfiguration } from '../config/values/secret.ts'
import { PopfetchError } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { changedDeletes, confirmDeletes } from '../poll/plan/changed-deletes.ts'
import { changedForMany, isChangedForMany } from '../poll/plan/guards.ts'
import type { Poller } from '../poll/poller.ts'
import { changesBetween } from './changes.ts'
import type { Metrics } from './http/metrics.ts'
import { HttpServer, type Names } from './http/server.ts'
import type { Watched } from './http/watched.ts'
import { configurationMark } from './control/protocol.ts'
import type { Scheduler } from './schedule/scheduler.ts'

export interface ReloadContext {
  /** Names of the accounts to poll; empty: all. */
  readonly only: readonly string[]
  /** Reads the configuration again, and asks for accounts where a program is to be asked. `yes`: that many of them are gone is meant.
   *  `again`: only the program is asked; the files are as they were read last.
   *  Rejects with ERR_CONFIG. */
  readonly load: (yes: boolean, again?: boolean) => Promise<Configuration>
  /** Called before a new configuration is taken over; if it rejects, the old one stays. */
  readonly prepare: (configuration: Configuration) => Promise<void>
  readonly poller: Pick<Poller, 'configure'>
  readonly scheduler: Pick<Scheduler, 'schedule'>
  readonly watched: Watched
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  readonly ledger: { readonly accounts: Ledger['accounts']; readonly records: Pick<Ledger['records'], 'note'> }
}

/** Disposing of it ends what is served. */
export class CurrentConfiguration implements AsyncDisposable {
  readonly #context: ReloadContext
  #configuration: Configuration
  #trouble: Configuration['trouble']
  #mark: string
  #server: HttpServer | null = null

  private constructor(configuration: Configuration, mark: string, context: ReloadContext) {
    this.#context = context
    this.#configuration = configuration
    this.#trouble = configuration.trouble
    this.#mark = mark
  }

  /** Schedules the accounts, serves HTTP. Rejects with ERR_CONFIG, ERR_LEDGER; then nothing is served. */
  static async begin(configuration: Configuration, context: ReloadContext): Promise<CurrentConfiguration> {
    const mark = await configurationMark(configuration.files, context.env)
    const current = new CurrentConfiguration(configuration, mark, context)
    const { http } = configuration.daemon
    if (http !== null)
      current.#server = await HttpServer.listen(http.place, await current.#names(http), context.watched)
    try {
      await context.scheduler.schedule(current.#accounts(configuration))
    } catch (error) {
      await current[Symbol.asyncDispose]()
      throw error
    }
    return current
  }

  get configuration(): Configuration {
    return this.#configuration
  }

  /** Why the last answer of `accountsFrom` was not taken; null: it was, or nobody was asked. */
  get trouble(): Configuration['trouble'] {
    return this.#trouble
  }

  get metrics(): Metrics | null {
    return this.#server?.metrics ?? null
  }

  /** The accounts that are polled. */
  get names(): readonly string[] {
    return this.#accounts(this.#configuration).map(({ name }) => name)
  }

  /** Whether `mark` is that of the file as it was read. */
  isMarked(mark: string): boolean {
    return mark === this.#mark
  }

  /** Takes over the configuration as its file is now. `yes`: what it changes of `delete` is meant. `again`: only the program of `accountsFrom` is asked.
   *  Resolves to what changed, in sentences. Rejects with the error that keeps the old one in effect. */
  async reload(yes: boolean, again = false): Promise<readonly string[]> {
    const { load, prepare, poller, scheduler, ledger } = this.#context
    const before = this.#configuration
    // Taken before the file is read, so that a change in between is noticed.
    const marked = await configurationMark(before.files, this.#context.env).catch(() => null)
    const after = await withUnchanged(before, await load(yes, again))
    if (!isSameLedger(after, before)) throw unchangeable('another ledger (state)')
    const accounts = this.#accounts(after)
    const names = new Set(accounts.map(({ name }) => name))
    const missing = this.#context.only.find((name) => !names.has(name))
    if (missing !== undefined) throw unchangeable(`no account ${missing}, which is named on the command line`)
    const more = await changedDeletes(ledger, accounts)
    if (!yes && isChangedForMany(more.length)) throw changedForMany(more.length, 'popfetch reload --yes')
    const changes = changesBetween({ ...before, accounts: this.#accounts(before) }, { ...after, accounts })
    // Every few minutes, and nearly always nothing.
    if (again && changes.length === 0) {
      this.#trouble = after.trouble
      return changes
    }

    const server = await this.#otherServer(before, after)
    try {
      await prepare(after)
      if (yes) await confirmDeletes(ledger, accounts)
      await scheduler.schedule(accounts)
    } catch (error) {
      if (server !== this.#server) await server?.[Symbol.asyncDispose]()
      throw error
    }
    for (const name of this.names) if (!names.has(name)) server?.metrics.forget(name)
    const isSame = isDeepStrictEqual(before.files, after.files) && marked !== null
    const mark = isSame ? marked : await configurationMark(after.files, this.#context.env)
    this.#configuration = after
    this.#trouble = after.trouble
    this.#mark = mark
    poller.configure(after)
    const old = this.#server
    this.#server = server
    if (old !== server) await old?.[Symbol.asyncDispose]()
    return changes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]()
  }

  #accounts({ accounts }: Configuration): readonly Account[] {
    const { only } = this.#context
    const wanted = new Set(only)
    return only.length === 0 ? accounts : accounts.filter(({ name }) => wanted.has(name))
  }

  /** The running server, if its address stays the same. */
  async #otherServer(before: Configuration, after: Configuration): Promise<HttpServer | null> {
    const [old, wanted] = [before.daemon.http, after.daemon.http]
    if (wanted === null) return null
    const names = await this.#names(wanted)
    if (old !== null && this.#server !== null && isDeepStrictEqual(old.place, wanted.place)) {
      this.#server.call(names)
      return this.#server
    }
    return await HttpServer.listen(wanted.place, names, this.#context.watched)
  }

  /** Rejects with ERR_SECRET. */
  async #names({ hosts, token }: Listen): Promise<Names> {
    const { env, signal } = this.#context
    if (token === null) return { hosts, token: null }
    return { hosts, token: await resolveSecret(token, { env, signal, what: 'daemon.httpToken' }) }
  }
}

/** How long accounts that departed are kept, and the like, may change. */
function isSameLedger(after: Configuration, before: Configuration): boolean {
  return after.statePath === before.statePath && sameConfiguration(after.postgres, before.postgres)
}

function unchangeable(what: string): PopfetchError {
  return new PopfetchError('ERR_CONFIG', `the configuration has ${what}: restart the daemon`, {
    scope: 'process',
    retry: 'never',
  })
}
