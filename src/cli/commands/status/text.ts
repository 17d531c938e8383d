// The answer of `status` in words: first what needs a person, then a table with a row for each account, those that need one first.
// On a terminal the table fits it (table.ts); elsewhere it has all columns, and every name is whole. Pure.
import { localStamp } from '../../../display.ts'
import { pastPolls } from '../../../poll/account/polls.ts'
import { namesText } from '../../../status/attention.ts'
import type { Attention, Status } from '../../../status/status.ts'
import { counted } from '../../../status/words/amounts.ts'
import type { Tone } from '../../output.ts'
import { accountRows, toneOf } from './table.ts'

export interface StatusLine {
  readonly text: string
  readonly tone: Tone
}

/** With more accounts than fit on a screen, the first lines are gone when the last one is printed. */
const MANY_ACCOUNTS = 20

/** `columns`: how wide the terminal is; Infinity: there is none. */
export function statusLines(status: Status, columns: number): readonly StatusLine[] {
  const { attention, daemon, nowMs } = status
  const plain = (text: string): StatusLine => ({ text, tone: 'plain' })
  const needs = attention.map((each): StatusLine => ({ text: attentionText(each), tone: each.weight }))
  const since = localStamp(daemon.sinceMs ?? nowMs)
  const runs = daemon.pid === null ? [] : [plain(`daemon running since ${since} (pid ${daemon.pid})`)]
  return [...needs, ...(needs.length === 0 ? [] : [plain('')]), ...table(status, columns), ...runs]
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
  const bad = accounts.filter((status) => toneOf(status, nowMs) === 'bad').length
  const [waiting, refused, held] = [sum('waiting'), sum('refused'), sum('held')]
  const parts = [
    bad === 0 ? 'none fails' : `${bad} ${bad === 1 ? 'fails' : 'fail'}`,
    ...(waiting === 0 ? [] : [`${counted(waiting, 'message')} waiting`]),
    ...(refused === 0 ? [] : [`${refused} refused`]),
    ...(held === 0 ? [] : [`${held} held`]),
  ]
  return `${counted(accounts.length, 'account')}: ${parts.join(', ')}`
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

/** The reason often names the command itself. */
function attentionText({ names, reason, next }: Attention): string {
  const text = `${namesText(names)}: ${reason}`
  const [program = '', command = ''] = next.split(' ', 2)
  return text.includes(`${program} ${command}`) ? text : `${text}: see ${next}`
}
