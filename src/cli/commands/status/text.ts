// The answer of `status` in words: first what needs a person, then a table with a row for each account. Pure.
import type { AccountStatus, Attention, Status } from '../../../status/status.ts'
import { LONG_MS, namesText } from '../../../status/attention.ts'
import { span, stamp, timeUntil } from '../../../status/words/moment.ts'
import type { Tone } from '../../output.ts'
import { tableLines } from '../../terminal/table.ts'

export interface StatusLine {
  readonly text: string
  readonly tone: Tone
}

const HEADINGS = [' ', 'account', 'last success', 'last poll', 'waiting', 'refused', 'held', 'failures', 'next poll']
/** Columns of numbers. */
const NUMBERS: ReadonlySet<number> = new Set([4, 5, 6, 7])

export function statusLines({ attention, accounts, daemon, nowMs }: Status): readonly StatusLine[] {
  const plain = (text: string): StatusLine => ({ text, tone: 'plain' })
  const needs = attention.map((each): StatusLine => ({ text: attentionText(each), tone: each.weight }))
  const runs =
    daemon.pid === null ? [] : [plain(`daemon running since ${stamp(daemon.sinceMs ?? nowMs)} (pid ${daemon.pid})`)]
  return [...needs, ...(needs.length === 0 ? [] : [plain('')]), ...table(accounts, nowMs), ...runs]
}

function table(accounts: readonly AccountStatus[], nowMs: number): readonly StatusLine[] {
  if (accounts.length === 0) return [{ text: 'no account was ever polled', tone: 'plain' }]
  const [heading = '', ...rows] = tableLines([HEADINGS, ...accounts.map((status) => cells(status, nowMs))], NUMBERS)
  return [
    { text: heading, tone: 'plain' },
    ...accounts.map((status, at) => ({ text: rows[at] ?? '', tone: toneOf(status, nowMs) })),
  ]
}

/** The reason often names the command itself. */
function attentionText({ names, reason, next }: Attention): string {
  const text = `${namesText(names)}: ${reason}`
  const [program = '', command = ''] = next.split(' ', 2)
  return text.includes(`${program} ${command}`) ? text : `${text}: see ${next}`
}

/** A failure is bad, and so is a poll that hangs; a long time without success is doubtful. An account that is no longer
 *  configured is neither. */
function toneOf({ record, configured, planned, pause }: AccountStatus, nowMs: number): Tone {
  if (pause !== null) return 'doubtful'
  if (planned?.overdue === true) return 'bad'
  if (record === null || !configured) return 'plain'
  if (record.failures > 0) return 'bad'
  return record.lastSuccessMs !== null && nowMs - record.lastSuccessMs > LONG_MS ? 'doubtful' : 'plain'
}

const MARKS: Readonly<Record<Tone, string>> = { plain: '', bad: '!', doubtful: '?' }

function cells(status: AccountStatus, nowMs: number): readonly string[] {
  const { account, record, unsettled } = status
  const ago = (ms: number | null): string => (ms === null ? 'never' : `${span(nowMs - ms)} ago`)
  return [
    MARKS[toneOf(status, nowMs)],
    account,
    ago(record?.lastSuccessMs ?? null),
    record === null || record.lastPollMs === null
      ? 'never'
      : `${record.failures > 0 ? 'failed' : 'ok'}, ${ago(record.lastPollMs)}`,
    String(unsettled.waiting),
    String(unsettled.refused),
    String(unsettled.held),
    String(record?.failures ?? 0),
    nextPoll(status, nowMs),
  ]
}

function nextPoll({ configured, planned, pausedUntilMs, pause }: AccountStatus, nowMs: number): string {
  if (pause !== null) return pause.untilMs === null ? 'paused' : `paused until ${stamp(pause.untilMs)}`
  if (planned?.overdue === true) return 'overdue'
  if (planned?.polling === true) return 'now'
  if (!configured) return 'not in the configuration'
  if (pausedUntilMs === null && planned !== null) return `in ${timeUntil((planned.nextPollMs ?? nowMs) - nowMs)}`
  return pausedUntilMs === null ? '-' : `paused for ${timeUntil(pausedUntilMs - nowMs)}, until ${stamp(pausedUntilMs)}`
}
