// The answer of `status` in words: first what needs a person, then a table with a row for each account, those that need one first.
// On a terminal the table fits it (table.ts); elsewhere it has all columns, and every name is whole. Pure.
import { display, localStamp } from '../../../display.ts'
import { pastPolls } from '../../../poll/account/polls.ts'
import { type AttentionKind, forMachines, namesText } from '../../../status/attention.ts'
import { nextOfMessages } from '../../../status/next.ts'
import { inOrder, isNotable, weightOf } from '../../../status/order.ts'
import type { Because, Status } from '../../../status/status.ts'
import { counted } from '../../../status/words/amounts.ts'
import { span } from '../../../status/words/moment.ts'
import type { Tone } from '../../output.ts'
import { version } from '../../version.ts'
import { accountRows } from './table.ts'

export interface StatusLine {
  readonly text: string
  readonly tone: Tone
}

/** With more accounts than fit on a screen, the first lines are gone when the last one is printed. */
const MANY_ACCOUNTS = 20

/** More accounts would flood a terminal: only those are shown of which there is something to tell. */
const FLOOD_ACCOUNTS = 500
/** And this many of those at most. */
const ROWS_IN_TERMINAL = 100
/** So many things that need a person are told there, if there is more than fits. */
const NEEDS_IN_TERMINAL = 20

interface Form {
  /** The version of this program. */
  readonly installed?: string
  /** Everything, however much it is. */
  readonly isWhole?: boolean
}

/** `columns`: how wide the terminal is; Infinity: there is none, and everything is told. */
export function statusLines(
  status: Status,
  columns: number,
  { installed = version, isWhole = false }: Form = {},
): readonly StatusLine[] {
  const { attention, daemon, nowMs, accounts } = status
  const isCut = !isWhole && columns !== Infinity && accounts.length > FLOOD_ACCOUNTS
  const told = isCut ? attention.slice(0, NEEDS_IN_TERMINAL) : attention
  const more = attention.length - told.length
  const needs = told.flatMap((each): readonly StatusLine[] => [
    { text: `${namesText(each.names)}: ${each.reason}`, tone: each.weight },
    plain(nextText(each.next)),
  ])
  if (more > 0) needs.push(plain(`and ${counted(more, 'more problem')}: popfetch status --every`))
  const since = localStamp(daemon.sinceMs ?? nowMs)
  const runs =
    daemon.pid === null ? [] : [plain(`daemon running since ${since} (pid ${daemon.pid})${other(daemon, installed)}`)]
  const above = [...needs, ...waitingLines(status)]
  return [
    ...above,
    ...(above.length === 0 ? [] : [plain('')]),
    ...(isCut ? partOfTable(status, columns) : table(status, columns)),
    ...runs,
    ...machineLines(status).map(plain),
  ]
}

/** Where other machines than this one share the ledger. */
function machineLines({ machines, daemon, nowMs }: Status): readonly string[] {
  if (machines.length === 0 || (machines.length === 1 && daemon.pid !== null)) return []
  return machines.map(({ machine, sinceMs, lastSeenMs, accounts, version: running }) => {
    const parts = [
      `running since ${localStamp(sinceMs ?? nowMs)}`,
      `last seen ${span(nowMs - lastSeenMs)} ago`,
      counted(accounts, 'account'),
      ...(running === null ? [] : [`version ${running}`]),
    ]
    return `machine ${machine}: ${parts.join(', ')}`
  })
}

/** It goes on with the version that it was started with (N040, replaced program). */
function other({ version: running = null }: Status['daemon'], installed: string): string {
  if (running === null || running === installed) return ''
  return `, version ${display(running, 40)}; version ${installed} is installed: to use it, popfetch stop, then popfetch --daemon`
}

/** More accounts whose mail waits are only in the table. */
const MOST_WAITING = 5

/** Mail that waits, where nothing above says why: it passes by itself, perhaps, and a person may ask. */
function waitingLines({ accounts, attention }: Status): readonly StatusLine[] {
  const told = new Set(attention.flatMap(({ kind, names }) => (SAY_WHY.has(kind) ? names : [])))
  const waiting = accounts.filter(
    ({ account, configured, outcome, unsettled }) =>
      configured && outcome === 'partial' && unsettled.waiting > 0 && !told.has(account),
  )
  return waiting.slice(0, MOST_WAITING).flatMap(({ account, unsettled, machines }) => {
    const lines = [
      `${account}: ${counted(unsettled.waiting, 'message')} waiting${forMachines(machines)}`,
      nextText(nextOfMessages.waiting(account)),
    ]
    return lines.map((text): StatusLine => ({ text, tone: 'plain' }))
  })
}

const SAY_WHY: ReadonlySet<string> = new Set<AttentionKind>(['account', 'overdue', 'waiting', 'paused'])

const plain = (text: string): StatusLine => ({ text, tone: 'plain' })

/** Of many accounts, for a terminal. */
function partOfTable(status: Status, columns: number): readonly StatusLine[] {
  const { accounts, nowMs } = status
  const notable = inOrder(accounts, nowMs).filter((each) => isNotable(each, nowMs))
  const shown = notable.slice(0, ROWS_IN_TERMINAL)
  const others = accounts.length - shown.length
  const rows = shown.length === 0 ? [] : accountRows({ accounts: shown, nowMs }, columns)
  const more = others === 0 ? [] : [plain(`and ${counted(others, 'other account')}: popfetch status --every`)]
  return [...rows, ...more, plain(totalText(status))]
}

function table(status: Status, columns: number): readonly StatusLine[] {
  const { accounts } = status
  if (accounts.length === 0) return [{ text: 'no account was ever polled', tone: 'plain' }]
  const rows = accountRows(status, columns)
  return accounts.length > MANY_ACCOUNTS ? [...rows, { text: totalText(status), tone: 'plain' }] : rows
}

/** `200 accounts: 3 fail, 14 messages waiting, 1 held`. */
function totalText({ accounts, nowMs }: Status): string {
  const sum = (kind: 'waiting' | 'refused' | 'held'): number =>
    accounts.reduce((all, { unsettled }) => all + unsettled[kind], 0)
  const bad = accounts.filter((status) => weightOf(status, nowMs) === 'bad').length
  const [waiting, refused, held] = [sum('waiting'), sum('refused'), sum('held')]
  const parts = [
    bad === 0 ? 'none fails' : `${bad} ${bad === 1 ? 'fails' : 'fail'}`,
    ...(waiting === 0 ? [] : [`${counted(waiting, 'message')} waiting`]),
    ...(refused === 0 ? [] : [`${refused} refused`]),
    ...(held === 0 ? [] : [`${held} held`]),
  ]
  return `${counted(accounts.length, 'account')}: ${parts.join(', ')}`
}

/** Why each account stands as it does: its outcome, since when, until when it is left alone, what is in the way, and what goes on,
 *  unless that was told already. */
export function whyLines({ accounts, attention }: Status): readonly StatusLine[] {
  const told = new Set(attention.map(({ next }) => next))
  return accounts.flatMap((status): readonly StatusLine[] => {
    const { account, outcome, sinceMs, pausedUntilMs, because, next } = status
    const parts = [
      outcome ?? 'never polled',
      ...(sinceMs === null ? [] : [`since ${localStamp(sinceMs)}`]),
      ...(pausedUntilMs === null ? [] : [`left alone until ${localStamp(pausedUntilMs)}`]),
      ...(because === null ? [] : [becauseText(because)]),
    ]
    const lines = ['', `${account}: ${parts.join(', ')}`, ...(next === null || told.has(next) ? [] : [nextText(next)])]
    return lines.map((text): StatusLine => ({ text, tone: 'plain' }))
  })
}

function becauseText({ kind, name }: Because): string {
  switch (kind) {
    case 'person':
      return `because ${name ?? 'somebody'} paused it`
    case 'destination':
      return `because of ${name === null ? 'a destination' : `the destination ${name}`}`
    case 'server':
      return 'because of its server'
    case 'account':
      return 'because of its own settings'
    case 'provider':
      return 'because of its provider'
    case 'panel':
      return `because of what the program of ${name ?? 'accountsFrom'} printed`
    case 'ledger':
      return 'because of the ledger'
  }
}

/** The last polls of each account, the newest first. */
export function pollLines({ accounts }: Status): readonly StatusLine[] {
  return accounts.flatMap(({ account, record }): readonly StatusLine[] => {
    const polls = record === null ? [] : pastPolls(record)
    if (polls.length === 0) return []
    return [
      { text: '', tone: 'plain' },
      { text: `last polls of ${account}:`, tone: 'plain' },
      ...polls.map(({ atMs, outcome, delivered, error }): StatusLine => {
        const what = [outcome, ...(delivered === 0 ? [] : [`${counted(delivered, 'message')} delivered`])].join(', ')
        const text = `  ${localStamp(atMs)}  ${what}${error === null ? '' : `: ${error.message}`}`
        return { text, tone: outcome === 'failed' ? 'bad' : outcome === 'partial' ? 'doubtful' : 'plain' }
      }),
    ]
  })
}

/** On a line of its own, to be copied. */
export function nextText(next: string): string {
  return `  next: ${next}`
}
