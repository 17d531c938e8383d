// The state of everything. One model behind `popfetch status`, its JSON, the daemon's page and its `/status.json`, so that they
// always agree. facts.ts reads the ledger. All else here is pure.
//
// An account has an outcome (account.ts). What its next poll would say if nothing new came, since when, what is in the way,
// and the command that helps. What needs a person is one list over all accounts (attention.ts), the worst first: each entry has
// its reason and the command. Twenty accounts behind one dead destination are one entry. Whether all is well is one rule
// (health.ts), for `status --check` and `/healthz` alike. json.ts has the names of DESIGN 2. words/ has times, amounts and
// names of messages for people; exit.ts the exit code of each error.
//
// Texts in the model are safe to print: secrets masked, control and bidirectional characters escaped.
import { atOnce, inTurns } from '../config/turns.ts'
import type { AccountRecord, DestinationRecord, Ledger, Pause, Worker } from '../ledger/ledger.ts'
import type { MessageRecord, Unsettled } from '../ledger/records.ts'
import { accountStatus, type AccountStatus, byName, type Planned, type Resting, restingOf } from './account.ts'
import type { AskedTrouble } from './asked-trouble.ts'
import { attentionOf, type Attention } from './attention.ts'
import type { LateHost } from './late.ts'
import { type MachineAtWork, machinesOf } from './machines.ts'
import type { Missed } from './remembered/missed.ts'
import type { Listed } from './sign-in-lines.ts'

export type { AccountStatus, Because, Outcome, Planned, Resting, TroubledMessage } from './account.ts'
export type { Attention } from './attention.ts'
export type { MachineAtWork } from './machines.ts'

/** The daemon of the ledger. */
export interface DaemonFacts {
  /** Was one started on this ledger, and not stopped? */
  readonly wanted: boolean
  /** Null: none runs. */
  readonly pid: number | null
  readonly sinceMs: number | null
  /** The version of its program, which may have been replaced since it started; null or absent: not known. */
  readonly version?: string | null
  /** What it plans; none: nothing runs. */
  readonly accounts: readonly Planned[]
  /** The servers whose accounts it polls later than planned; absent: none. */
  readonly late?: readonly LateHost[]
  /** Where it runs; absent: on this machine, or nowhere. */
  readonly machine?: string
}

export const NO_DAEMON: DaemonFacts = { wanted: false, pid: null, sinceMs: null, accounts: [] }

/** What was read, before anything is concluded. */
export interface Facts {
  readonly nowMs: number
  /** Names of the accounts of the configuration, in its order; null: they cannot be told. */
  readonly configured: readonly string[] | null
  /** Those of them that are not polled (`enabled: false`); absent: none. */
  readonly disabled?: readonly string[]
  readonly records: readonly AccountRecord[]
  readonly unsettled: ReadonlyMap<string, Unsettled>
  /** The first few of the messages of an account that are refused, held or wait. */
  readonly messages: ReadonlyMap<string, readonly MessageRecord[]>
  readonly destinations: readonly DestinationRecord[]
  readonly pauses: readonly Pause[]
  /** Why what the program of `accountsFrom` printed last was not taken; null or absent: it was, or none is asked. */
  readonly asked?: AskedTrouble | null
  /** Polls of the last day that could not be made; absent: nobody asked. */
  readonly missed?: readonly Missed[]
  readonly signIns: readonly Listed[]
  readonly daemon: DaemonFacts
  /** The processes at work on the ledger; absent: nobody asked. */
  readonly workers?: readonly Worker[]
  /** Absent: one machine. */
  readonly spans?: Ledger['spans']
}

export interface Status {
  readonly nowMs: number
  /** What needs a person, the worst first. */
  readonly attention: readonly Attention[]
  /** First the accounts of the configuration in its order, then those that only the ledger knows. */
  readonly accounts: readonly AccountStatus[]
  readonly destinations: readonly Resting[]
  /** What a person wants left alone. */
  readonly pauses: readonly Pause[]
  readonly asked: AskedTrouble | null
  readonly missed: readonly Missed[]
  readonly signIns: readonly Listed[]
  readonly daemon: DaemonFacts
  readonly machines: readonly MachineAtWork[]
}

export function statusOf(facts: Facts): Status {
  return atOnce(statusSteps(facts))
}

/** The same with pauses, for a process that has other work. */
export function statusInTurns(facts: Facts): Promise<Status> {
  return inTurns(statusSteps(facts))
}

function* statusSteps(facts: Facts): Generator<void, Status> {
  const { nowMs, configured, signIns, daemon, asked = null, missed = [] } = facts
  const records = new Map(facts.records.map((record) => [record.name, record]))
  const names = [...new Set([...(configured ?? []), ...records.keys()])]
  const disabled = new Set(facts.disabled)
  const isConfigured = new Set((configured ?? names).filter((name) => !disabled.has(name)))
  const plans = new Map(daemon.accounts.map((planned) => [planned.account, planned]))
  const { pauses } = facts
  const destinations = restingOf(facts.destinations, pauses, nowMs)
  const paused = byName(pauses)
  const accounts: AccountStatus[] = []
  for (const account of names) {
    accounts.push(
      accountStatus({
        account,
        record: records.get(account) ?? null,
        configured: isConfigured.has(account),
        disabled: disabled.has(account),
        unsettled: facts.unsettled.get(account) ?? null,
        messages: facts.messages.get(account) ?? [],
        planned: plans.get(account) ?? null,
        destinations,
        paused,
        nowMs,
      }),
    )
    yield
  }
  const machines = machinesOf(facts)
  return {
    nowMs,
    attention: yield* attentionOf({ nowMs, accounts, destinations, pauses, asked, missed, signIns, daemon, machines }),
    accounts,
    destinations,
    pauses,
    asked,
    missed,
    signIns,
    daemon,
    machines,
  }
}

/** The same for these accounts alone; what needs a person, too. */
export function only(status: Status, accounts: readonly string[]): Status {
  const wanted = new Set(accounts)
  const chosen = status.accounts.filter(({ account }) => wanted.has(account))
  const { nowMs, destinations, asked, missed, signIns, daemon, machines } = status
  const pauses = status.pauses.filter(({ kind, name }) => kind === 'destination' || wanted.has(name))
  return {
    ...status,
    accounts: chosen,
    pauses,
    attention: atOnce(
      attentionOf({ nowMs, accounts: chosen, destinations, pauses, asked, missed, signIns, daemon, machines }),
    ),
  }
}
