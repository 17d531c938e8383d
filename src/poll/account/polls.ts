// How the last polls of an account went: a fact of the account, for people who look. A line for each poll, the newest first; an error
// that is the same as in the line before is not written again. Pure.
import { display } from '../../display.ts'
import type { AccountRecord, FactChanges } from '../../ledger/ledger.ts'
import { type AccountReport, OUTCOMES, type PollOutcome } from '../report.ts'

export interface PastPoll {
  readonly atMs: number
  readonly outcome: PollOutcome
  readonly delivered: number
  /** Safe to print, and cut short. */
  readonly error: { readonly code: string; readonly message: string } | null
}

/** In AccountRecord.facts. */
const POLLS = 'polls'

const MOST = 10
/** All facts of all accounts are read at once. */
const MESSAGE_LENGTH = 120
const SAME = '='

/** After a poll. */
export function pollsFact(
  before: Pick<AccountRecord, 'facts'>,
  { outcome, delivered, error }: Pick<AccountReport, 'outcome' | 'delivered' | 'error'>,
  nowMs: number,
): FactChanges {
  // What was said of the others stays said: nearly always, and then no line is read.
  if (error === null) {
    const lines = before.facts[POLLS]?.split('\n', MOST - 1) ?? []
    return { [POLLS]: [`${nowMs} ${outcome} ${delivered} `, ...lines].join('\n') }
  }
  const told = { code: error.code, message: display(error.message, MESSAGE_LENGTH) }
  const polls = [{ atMs: nowMs, outcome, delivered, error: told }, ...pastPolls(before)].slice(0, MOST)
  const lines = polls.map(({ atMs, error: own, ...poll }, at) => {
    const newer = polls[at - 1]?.error ?? null
    const isSame = own !== null && newer?.code === own.code && newer.message === own.message
    const text = own === null ? '' : isSame ? SAME : `${own.code} ${own.message}`
    return `${atMs} ${poll.outcome} ${poll.delivered} ${text}`
  })
  return { [POLLS]: lines.join('\n') }
}

/** The newest first; a line that makes no sense is left out. */
export function pastPolls({ facts }: Pick<AccountRecord, 'facts'>): readonly PastPoll[] {
  const polls: PastPoll[] = []
  for (const line of (facts[POLLS] ?? '').split('\n').slice(0, MOST)) {
    const [, at = '', word = '', delivered = '', text = ''] =
      /^(\d{1,16}) ([a-z]{1,10}) (\d{1,10}) (.*)$/.exec(line) ?? []
    const outcome = OUTCOMES.find((one) => one === word)
    if (outcome === undefined) continue
    const [code = ''] = text.split(' ', 1)
    const own = code === '' ? null : { code, message: text.slice(code.length + 1) }
    const error = text === SAME ? (polls.at(-1)?.error ?? null) : own
    polls.push({ atMs: Number(at), outcome, delivered: Number(delivered), error })
  }
  return polls
}
