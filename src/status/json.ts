// The answer of `status --json` and of `/status.json`. Names and order are those of DESIGN 2. Pure.
import { display } from '../display.ts'
import type { Pause } from '../ledger/ledger.ts'
import { toldError } from '../poll/report.ts'
import { type PastPoll, pastPolls } from '../poll/account/polls.ts'
import type { AskedTrouble } from './asked-trouble.ts'
import type { AccountStatus, Resting } from './account.ts'
import type { LateHost } from './late.ts'
import { listedJson } from './sign-in-lines.ts'
import type { MachineAtWork } from './machines.ts'
import type { Missed } from './remembered/missed.ts'
import type { Status } from './status.ts'
import { iso } from './words/moment.ts'

/** `polls`: each account with its last polls. */
export function statusJson(status: Status, { polls = false }: { readonly polls?: boolean } = {}): object {
  const accounts = status.accounts.map((each) => ({
    ...accountJson(each),
    ...(polls ? { polls: each.record === null ? [] : pastPolls(each.record).map(pollJson) } : {}),
  }))
  return { ok: true, accounts, ...aroundJson(status) }
}

/** The text of the same, for whoever has other work meanwhile: piece by piece, an account each. */
export function* statusJsonText(status: Status): Generator<string> {
  yield '{"ok":true,"accounts":['
  for (const [at, account] of status.accounts.entries())
    yield `${at === 0 ? '' : ','}${JSON.stringify(accountJson(account))}`
  yield `],${JSON.stringify(aroundJson(status)).slice(1)}`
}

function aroundJson({ daemon, destinations, machines, missed, pauses, signIns, asked }: Status): object {
  return {
    daemon: {
      running: daemon.pid !== null,
      pid: daemon.pid,
      since: iso(daemon.sinceMs),
      version: daemon.version ?? null,
    },
    accountsFrom: asked === null ? null : askedJson(asked),
    destinations: destinations.map(restingJson),
    late: (daemon.late ?? []).map(lateJson),
    machines: machines.map(machineJson),
    missed: missed.map(missedJson),
    paused: pauses.map(pauseJson),
    signIns: signIns.map(listedJson),
  }
}

/** `nextPoll` comes from the daemon, or is the end of a pause. While an account is paused, its next poll in the daemon only
 *  checks whether the password was changed. */
function accountJson(status: AccountStatus): object {
  const { account, record, configured, unsettled, planned, pausedUntilMs, sinceMs, outcome, because, next } = status
  return {
    account,
    lastPoll: iso(record?.lastPollMs ?? null),
    lastSuccess: iso(record?.lastSuccessMs ?? null),
    nextPoll: iso(pausedUntilMs ?? planned?.nextPollMs ?? null),
    enabled: configured,
    outcome,
    since: iso(sinceMs),
    pausedUntil: iso(pausedUntilMs),
    because,
    next,
    waiting: unsettled.waiting,
    undeleted: unsettled.undeleted,
    held: unsettled.held,
    refused: unsettled.refused,
    failures: record?.failures ?? 0,
    error: toldError(record?.error ?? null),
  }
}

function pollJson({ atMs, outcome, delivered, error }: PastPoll): object {
  return { time: iso(atMs), outcome, delivered, error }
}

function machineJson({ machine, sinceMs, lastSeenMs, accounts, version }: MachineAtWork): object {
  return { machine, since: iso(sinceMs), lastSeen: iso(lastSeenMs), accounts, version }
}

function missedJson({ machine, sinceMs, untilMs, accounts, polls }: Missed): object {
  return { machine: display(machine, 100), since: iso(sinceMs), until: iso(untilMs), accounts, polls }
}

function lateJson({ host, accounts, lateMs, sinceMs }: LateHost): object {
  return { host, accounts, seconds: Math.round(lateMs / 1000), since: iso(sinceMs) }
}

/** `until` null: until it is resumed. */
export function pauseJson({ kind, name, by, sinceMs, untilMs }: Pause): object {
  return { kind, name, by: display(by), since: iso(sinceMs), until: iso(untilMs) }
}

/** In the form of an error of `poll --json`, and since when. */
function askedJson({ sinceMs, message, retry }: AskedTrouble): object {
  return { since: iso(sinceMs), error: { code: 'ERR_ACCOUNTS', message, retry } }
}

function restingJson({ destination, untilMs, error }: Resting): object {
  return { destination, until: iso(untilMs), error }
}
