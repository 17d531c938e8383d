// How late polls begin, by server: they wait for a free place where `concurrency` and `perHost` have too few for so many accounts. An
// account is late when it is so at two polls in a row. Once may be a slow moment: a server that came back, the first mail of many.
import type { Account } from '../../config/schema.ts'
import type { Log } from '../../log.ts'
import { type LateHost, lateText } from '../../status/late.ts'
import type { PollEnded } from './scheduler.ts'

/** A tenth of its interval and this: later than that an account is late. */
const GRACE_MS = 30_000
const LATE_POLLS = 2

interface LateAccount {
  readonly sinceMs: number
  readonly lateMs: number
  readonly polls: number
}

interface Host {
  /** Those that were late at their last poll. */
  readonly late: Map<string, LateAccount>
  /** Of its last poll. */
  lateMs: number
  told: boolean
}

export class Lateness {
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #nowMs: () => number
  readonly #hosts = new Map<string, Host>()

  constructor(log: Pick<Log, 'info' | 'warn'>, nowMs: () => number) {
    this.#log = log
    this.#nowMs = nowMs
  }

  /** A poll of an account ended; it had begun so much later than planned. */
  ended({ account: { name, host: server, poll }, lateMs }: Pick<PollEnded, 'account' | 'lateMs'>): void {
    let host = this.#hosts.get(server)
    if (host === undefined) this.#hosts.set(server, (host = { late: new Map(), lateMs, told: false }))
    host.lateMs = lateMs
    if (lateMs > poll.maxMs / 10 + GRACE_MS) {
      const { sinceMs = this.#nowMs(), polls = 0 } = host.late.get(name) ?? {}
      host.late.set(name, { sinceMs, lateMs, polls: polls + 1 })
    } else if (!host.late.delete(name)) return
    this.#tell(server, host)
  }

  /** Of other accounts than these it remembers nothing. */
  keep(accounts: readonly Pick<Account, 'name' | 'host'>[]): void {
    const hosts = new Map(accounts.map(({ name, host }) => [name, host]))
    const known = new Set(hosts.values())
    for (const [server, host] of this.#hosts) {
      for (const name of host.late.keys()) if (hosts.get(name) !== server) host.late.delete(name)
      if (known.has(server)) this.#tell(server, host)
      else this.#hosts.delete(server)
    }
  }

  /** The servers whose accounts are late. */
  get late(): readonly LateHost[] {
    return [...this.#hosts].flatMap(([host, { late }]) => lateHost(host, late) ?? [])
  }

  /** Of every server: by how much its last poll was late, and how many of its accounts are. */
  get all(): readonly (readonly [host: string, lateMs: number, accounts: number])[] {
    return [...this.#hosts].map(([host, { lateMs, late }]) => [host, lateMs, lateHost(host, late)?.accounts ?? 0])
  }

  /** When it begins, and when it is over. */
  #tell(server: string, host: Host): void {
    if (host.told && host.late.size === 0) {
      host.told = false
      this.#log.info('accounts are polled as planned again', { host: server })
    }
    const late = host.told ? null : lateHost(server, host.late)
    if (late === null) return
    host.told = true
    this.#log.warn(lateText(late), { host: server, accounts: late.accounts, lateMs: Math.round(late.lateMs) })
  }
}

function lateHost(host: string, accounts: ReadonlyMap<string, LateAccount>): LateHost | null {
  if (accounts.size === 0) return null
  const late = [...accounts.values()].filter(({ polls }) => polls >= LATE_POLLS)
  if (late.length === 0) return null
  const lateMs = late.reduce((most, each) => Math.max(most, each.lateMs), 0)
  const sinceMs = late.reduce((first, each) => Math.min(first, each.sinceMs), Infinity)
  return { host, accounts: late.length, lateMs, sinceMs }
}
