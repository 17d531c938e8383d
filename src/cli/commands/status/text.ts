// The answer of `status` in words. Pure: from the state of each account to lines and their tones.
import type { Planned } from '../../../daemon/schedule/scheduler.ts'
import type { AccountRecord } from '../../../ledger/ledger.ts'
import type { MessageRecord, Unsettled } from '../../../ledger/records.ts'
import { rateWaitedFor } from '../../../poll/account/unbegun.ts'
import { nameOf } from '../../open/read-ledger.ts'
import { span, stamp, timeUntil } from '../../terminal/moment.ts'
import type { Tone } from '../../output.ts'
import { counted } from '../../terminal/amounts.ts'
import { tableLines } from '../../terminal/table.ts'

export interface AccountStatus {
  readonly account: string
  /** Null: never polled. */
  readonly record: AccountRecord | null
  /** False: only the ledger knows it. */
  readonly configured: boolean
  readonly unsettled: Unsettled
  /** The first few of the refused and held messages. */
  readonly troubles: readonly MessageRecord[]
  /** Null: no background process polls it. */
  readonly planned: Planned | null
  /** The account is left alone until then; null: it is not left alone. */
  readonly pausedUntilMs: number | null
}

export interface StatusLine {
  readonly text: string
  readonly tone: Tone
}

/** After this long without success an account stands out, even when no failure is known: cron may have stopped. */
const LONG_MS = 24 * 3_600_000

const HEADINGS = [' ', 'account', 'last success', 'last poll', 'waiting', 'refused', 'held', 'failures', 'next poll']
/** Columns of numbers. */
const NUMBERS: ReadonlySet<number> = new Set([4, 5, 6, 7])

/** A table with a row for each account; below it, what a person should look at. */
export function statusLines(accounts: readonly AccountStatus[], nowMs: number): readonly StatusLine[] {
  if (accounts.length === 0) return [{ text: 'no account was ever polled', tone: 'plain' }]
  const [heading = '', ...rows] = tableLines([HEADINGS, ...accounts.map((status) => cells(status, nowMs))], NUMBERS)
  return [
    { text: heading, tone: 'plain' },
    ...accounts.map((status, at) => ({ text: rows[at] ?? '', tone: toneOf(status, nowMs) })),
    ...accounts.flatMap((status) => details(status).map((text) => ({ text, tone: 'plain' as const }))),
  ]
}

/** A failure is bad, and so is a poll that hangs; a long time without success is doubtful. An account that is no longer
 *  configured is neither. */
function toneOf({ record, configured, planned }: AccountStatus, nowMs: number): Tone {
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

function nextPoll({ configured, planned, pausedUntilMs }: AccountStatus, nowMs: number): string {
  if (planned?.overdue === true) return 'overdue'
  if (planned?.polling === true) return 'now'
  if (!configured) return 'not in the configuration'
  if (pausedUntilMs === null && planned !== null) return `in ${timeUntil((planned.nextPollMs ?? nowMs) - nowMs)}`
  return pausedUntilMs === null ? '-' : `paused for ${timeUntil(pausedUntilMs - nowMs)}, until ${stamp(pausedUntilMs)}`
}

function details({ account, record, unsettled, troubles }: AccountStatus): readonly string[] {
  const error = record?.error ?? null
  const lines = troubles.map(
    (message) =>
      `${account}: message ${nameOf(message)}: ${message.state === 'held' ? 'held back' : 'refused'}: ${message.reason ?? 'no reason recorded'}`,
  )
  const more = unsettled.refused + unsettled.held - troubles.length
  const waits = rateWaitedFor(record)
  return [
    ...(error === null ? [] : [`${account}: ${error.message}`]),
    ...(waits === null ? [] : [`${account}: mail waits: ${waits}`]),
    ...(unsettled.undeleted === 0
      ? []
      : [`${account}: ${counted(unsettled.undeleted, 'message')} should have left the server and did not`]),
    ...lines,
    ...(more > 0
      ? [`${account}: and ${counted(more, 'other')}: see popfetch state list ${account} --refused and --held`]
      : []),
  ]
}
