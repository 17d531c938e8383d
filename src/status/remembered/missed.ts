// Polls that did not take place because the ledger could not be used: its database was away, its disk was full. While that lasts nothing
// can be recorded, so each process counts, and records it once the ledger can be used again: `status` and the page tell it for a day.
import { display } from '../../display.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { counted } from '../words/amounts.ts'
import { span } from '../words/moment.ts'

const MEMO = 'missed'
/** What is older is in the log. */
const TOLD_MS = 24 * 3_600_000
/** Two times with less between them are one: a database that comes and goes. */
const APART_MS = 10 * 60_000
const MOST_KEPT = 20

/** Of one process, while the ledger could not be used. */
export interface MissedPolls {
  readonly sinceMs: number
  readonly untilMs: number
  readonly polls: number
  readonly accounts: number
}

export interface Missed extends MissedPolls {
  /** Whose polls they were. */
  readonly machine: string
}

/** The ledger can be used again. Never rejects: it is in the log as well. */
export async function recordMissed(
  ledger: Pick<Ledger, 'changeMemo'>,
  machine: string,
  missed: MissedPolls,
): Promise<void> {
  await ledger.changeMemo(MEMO, (memo) => JSON.stringify(joined(read(memo), { machine, ...missed }))).catch(() => {})
}

/** Of the last day, the latest first. Rejects with ERR_LEDGER. */
export async function missedPolls(ledger: Pick<Ledger, 'memo'>, nowMs: number): Promise<readonly Missed[]> {
  const all = read(await ledger.memo(MEMO))
  // A clock that was set back would tell it for long.
  return all.filter(({ untilMs }) => Math.abs(nowMs - untilMs) < TOLD_MS).toSorted((a, b) => b.untilMs - a.untilMs)
}

/** `the ledger could not be used for 28 min: 3,000 accounts were not polled`; `machine`: where several share the ledger. */
export function missedText({ machine, sinceMs, untilMs, polls, accounts }: Missed, ofMany: boolean): string {
  const where = ofMany ? ` by ${display(machine, 100)}` : ''
  const times = polls > accounts ? `, ${counted(polls, 'poll')} in all` : ''
  const were = accounts === 1 ? 'was' : 'were'
  return `the ledger could not be used${where} for ${span(untilMs - sinceMs)}: ${counted(accounts, 'account')} ${were} not polled${times}`
}

function joined(before: readonly Missed[], missed: Missed): readonly Missed[] {
  const last = before.findLast(({ machine }) => machine === missed.machine)
  const gapMs = last === undefined ? Infinity : missed.sinceMs - last.untilMs
  if (last === undefined || gapMs < 0 || gapMs > APART_MS) return [...before, missed].slice(-MOST_KEPT)
  const { sinceMs, polls, accounts } = last
  const one = { ...missed, sinceMs, polls: polls + missed.polls, accounts: Math.max(accounts, missed.accounts) }
  return [...before.filter((each) => each !== last), one]
}

/** What this version cannot read is none. */
function read(memo: string | null): readonly Missed[] {
  try {
    const all: unknown = JSON.parse(memo ?? '[]')
    return Array.isArray(all) ? all.filter(isMissed) : []
  } catch {
    return []
  }
}

function isMissed(value: unknown): value is Missed {
  if (typeof value !== 'object' || value === null) return false
  const { machine, sinceMs, untilMs, polls, accounts } = value as Partial<Record<string, unknown>>
  return typeof machine === 'string' && [sinceMs, untilMs, polls, accounts].every(Number.isFinite)
}
