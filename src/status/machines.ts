// The machines whose daemons share a ledger (DESIGN 4.6): what each has to do with it, and whether all run one version. Pure.
import { hostname } from 'node:os'
import { display } from '../display.ts'
import { MACHINE } from '../poll/account/history.ts'
import type { AccountRecord, Ledger, Worker } from '../ledger/ledger.ts'

/** A machine whose daemon uses the ledger. Texts are safe to print. */
export interface MachineAtWork {
  /** Its name. */
  readonly machine: string
  readonly sinceMs: number | null
  readonly lastSeenMs: number
  /** How many accounts it polled last. On a file, which one machine has: how many its daemon plans. */
  readonly accounts: number
  /** Of the program that runs there; of several, that of the process that began first. Null: not known. */
  readonly version: string | null
  /** Of each of its processes, without those that have the same. */
  readonly versions: readonly string[]
}

/** What of Facts (status.ts) says so. */
interface Known {
  readonly nowMs: number
  readonly records: readonly AccountRecord[]
  readonly workers?: readonly Worker[]
  readonly spans?: Ledger['spans']
  readonly daemon: {
    readonly pid: number | null
    readonly sinceMs: number | null
    readonly accounts: readonly unknown[]
    readonly version?: string | null
    readonly machine?: string
  }
}

/** In the order in which they began. */
export function machinesOf({ workers = [], spans, records, daemon, nowMs }: Known): readonly MachineAtWork[] {
  const atWork = workers.filter(({ sinceMs }) => sinceMs !== null)
  const polled = Map.groupBy(records, ({ facts }) => facts[MACHINE] ?? '')
  const found = [...Map.groupBy(atWork, ({ machine }) => machine)].map(([machine, own]) => {
    const versions = [...new Set(own.map(({ version }) => display(version, 40)))].filter((version) => version !== '')
    return {
      machine: display(machine, 100),
      sinceMs: own[0]?.sinceMs ?? null,
      lastSeenMs: Math.max(...own.map(({ lastSeenMs }) => lastSeenMs)),
      accounts: spans === 'machines' ? (polled.get(machine) ?? []).length : daemon.accounts.length,
      version: versions[0] ?? null,
      versions,
    }
  })
  if (found.length > 0 || daemon.pid === null) return found
  // An older daemon does not present itself; this one has just answered.
  const { machine = hostname(), sinceMs, accounts, version = null } = daemon
  const known = version === null ? null : display(version, 40)
  return [
    {
      machine: display(machine, 100),
      sinceMs,
      lastSeenMs: nowMs,
      accounts: accounts.length,
      version: known,
      versions: known === null ? [] : [known],
    },
  ]
}

/** The machines with their versions, where these differ; null: all have one, or there is one machine, whose daemon is told in
 *  another place. Two versions side by side go on working, for the time that an upgrade takes. */
export function differingVersions(machines: readonly MachineAtWork[]): string | null {
  const all = new Set(machines.flatMap(({ versions }) => versions))
  if (machines.length < 2 || all.size < 2) return null
  return machines.map(({ machine, versions }) => `${machine} ${versions.join(' and ') || '(unknown)'}`).join(', ')
}
