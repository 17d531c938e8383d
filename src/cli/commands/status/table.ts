// The table of `status`: one row for each account, what needs a person first. A terminal gets the widest form that fits it: all columns in
// full; in short; without columns that say nothing of any account; with long names cut in their middle; else a sentence for each. Pure.
import { grouped, localClock } from '../../../display.ts'
import { inOrder, weightOf } from '../../../status/order.ts'
import type { AccountStatus, Status } from '../../../status/status.ts'
import { counted } from '../../../status/words/amounts.ts'
import { span, timeUntil } from '../../../status/words/moment.ts'
import type { Tone } from '../../output.ts'
import { tableLines } from '../../terminal/table.ts'
import { cellsOf, shortenedInside } from '../../terminal/width.ts'

interface Row {
  readonly text: string
  readonly tone: Tone
}

interface Column {
  readonly heading: string
  /** `isShort`: there is little room. */
  readonly cell: (status: AccountStatus, nowMs: number, isShort: boolean) => string
  /** A number of which nobody need know while it is 0 for all. */
  readonly counts?: (status: AccountStatus) => number
}

const COLUMNS: readonly Column[] = [
  { heading: ' ', cell: (status, nowMs) => MARKS[weightOf(status, nowMs)] },
  { heading: 'account', cell: ({ account }) => account },
  { heading: 'last success', cell: ({ record }, nowMs) => ago(record?.lastSuccessMs ?? null, nowMs) },
  { heading: 'last poll', cell: lastPoll },
  numbers('waiting', ({ unsettled }) => unsettled.waiting),
  numbers('refused', ({ unsettled }) => unsettled.refused),
  numbers('held', ({ unsettled }) => unsettled.held),
  numbers('failures', ({ record }) => record?.failures ?? 0),
  { heading: 'next poll', cell: nextPoll },
]
const NAME = 1

const MARKS: Readonly<Record<Tone, string>> = { plain: '', bad: '!', doubtful: '?' }

/** A name that is cut shorter tells nothing any more. */
const SHORTEST_NAME = 12

/** The heading, and the rows. `columns`: Infinity where nobody looks at a terminal. */
export function accountRows({ accounts, nowMs }: Pick<Status, 'accounts' | 'nowMs'>, columns: number): readonly Row[] {
  const tone = (status: AccountStatus): Tone => weightOf(status, nowMs)
  const ordered = inOrder(accounts, nowMs)
  const lines = widestTable(ordered, nowMs, columns)
  if (lines === null) return ordered.map((status) => ({ text: sentence(status, nowMs), tone: tone(status) }))
  const [heading = '', ...rows] = lines
  const body = ordered.map((status, at) => ({ text: rows[at] ?? '', tone: tone(status) }))
  return [{ text: heading, tone: 'plain' }, ...body]
}

/** Null: none fits. */
function widestTable(accounts: readonly AccountStatus[], nowMs: number, columns: number): readonly string[] | null {
  const telling = COLUMNS.filter(({ counts }) => counts === undefined || accounts.some((status) => counts(status) > 0))
  const form = (shown: readonly Column[], isShort: boolean, longestName = Infinity): readonly string[] => {
    const cells = (status: AccountStatus): readonly string[] =>
      shown.map(({ cell }, at) => {
        const text = cell(status, nowMs, isShort)
        return at === NAME ? shortenedInside(text, longestName) : text
      })
    const right = new Set(shown.flatMap(({ counts }, at) => (counts === undefined ? [] : [at])))
    return tableLines([shown.map(({ heading }) => heading), ...accounts.map(cells)], right)
  }
  const fits = (lines: readonly string[]): boolean => widthOf(lines) <= columns
  const whole = [form(COLUMNS, false), form(COLUMNS, true), form(telling, true)]
  const found = whole.find(fits)
  if (found !== undefined) return found
  const longest = Math.max(...accounts.map(({ account }) => cellsOf(account)))
  const room = longest - (widthOf(form(telling, true)) - columns)
  return room < SHORTEST_NAME ? null : form(telling, true, room)
}

function widthOf(lines: readonly string[]): number {
  return Math.max(...lines.map(cellsOf))
}

/** Where there is no room for a table. */
function sentence(status: AccountStatus, nowMs: number): string {
  const { account, record, unsettled } = status
  const mark = MARKS[weightOf(status, nowMs)]
  const counts = (['waiting', 'refused', 'held'] as const).flatMap((kind) =>
    unsettled[kind] === 0 ? [] : [`${unsettled[kind]} ${kind}`],
  )
  const failures = record?.failures ?? 0
  const next = nextPoll(status, nowMs)
  const parts = [
    `last success ${ago(record?.lastSuccessMs ?? null, nowMs)}`,
    `last poll ${lastPoll(status, nowMs, false)}`,
    ...counts,
    ...(failures === 0 ? [] : [counted(failures, 'failure')]),
    ...(next === '-' ? [] : [`next poll ${next}`]),
  ]
  return `${mark === '' ? '' : `${mark} `}${account}: ${parts.join('; ')}`
}

function numbers(heading: string, counts: (status: AccountStatus) => number): Column {
  return { heading, counts, cell: (status) => grouped(counts(status)) }
}

function ago(ms: number | null, nowMs: number): string {
  return ms === null ? 'never' : `${span(nowMs - ms)} ago`
}

/** In short without how it went: the mark and the failures say so. */
function lastPoll({ record }: AccountStatus, nowMs: number, isShort = false): string {
  if (record === null || record.lastPollMs === null) return 'never'
  const when = ago(record.lastPollMs, nowMs)
  return isShort ? when : `${record.failures > 0 ? 'failed' : 'ok'}, ${when}`
}

function nextPoll(
  { configured, disabled, planned, pausedUntilMs, pause }: AccountStatus,
  nowMs: number,
  isShort = false,
): string {
  if (pause !== null) return pause.untilMs === null ? 'paused' : `paused until ${localClock(pause.untilMs, nowMs)}`
  if (planned?.overdue === true) return 'overdue'
  if (planned?.polling === true) return 'now'
  if (disabled) return 'disabled'
  if (!configured) return isShort ? 'not configured' : 'not in the configuration'
  if (pausedUntilMs === null && planned !== null) return `in ${timeUntil((planned.nextPollMs ?? nowMs) - nowMs)}`
  if (pausedUntilMs === null) return '-'
  const paused = `paused for ${timeUntil(pausedUntilMs - nowMs)}`
  return isShort ? paused : `${paused}, until ${localClock(pausedUntilMs, nowMs)}`
}
