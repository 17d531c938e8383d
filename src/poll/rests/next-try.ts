// When is a message due again that a destination did not take for the message's own sake, and when is it kept back for good?
// Pure. ANSWERS.md, table 1, says the numbers. The one rule: no message is downloaded again and again for a destination that will
// not take it (D120).
import type { Answer } from './answer.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A larger message is not downloaded twice within LARGE_PAUSE_MS. */
const LARGE_BYTES = 1024 * 1024
const LARGE_PAUSE_MS = 15 * MINUTE_MS

/** With pauses of 1, 2, 4, 8, 16 and then always 24 hours, about 30 days. Counted by refusals, so that a clock that jumps ages
 *  nothing (S040). */
const MOST_REFUSALS = 34
const MOST_REFUSALS_AS_SPAM = 1

export interface Tried {
  /** Before this answer. */
  readonly refusals: number
  readonly deferrals: number
  readonly bytes: number
}

/** Not before then; 0: at the next poll. */
export function dueAfterMs({ conclusion, pauseMs, spam }: Answer, tried: Tried, nowMs: number): number {
  const { refusals, deferrals, bytes } = tried
  if (conclusion === 'BAD' || conclusion === 'FORM') {
    return nowMs + (spam ? DAY_MS : Math.min(HOUR_MS * 2 ** Math.min(refusals, 10), DAY_MS))
  }
  const ownMs = deferrals === 0 ? 0 : Math.min(5 * MINUTE_MS * 2 ** Math.min(deferrals - 1, 10), 4 * HOUR_MS)
  const longest = Math.max(ownMs, Math.min(pauseMs, DAY_MS), bytes > LARGE_BYTES ? LARGE_PAUSE_MS : 0)
  return longest === 0 ? 0 : nowMs + longest
}

/** Why it is kept back now; null: it is not. */
export function holdReason({ conclusion, spam, text }: Answer, { refusals }: Tried): string | null {
  if (conclusion === 'HELD') return text
  if (conclusion !== 'BAD' && conclusion !== 'FORM') return null
  if (spam && refusals >= MOST_REFUSALS_AS_SPAM) return `refused again, as unwanted: ${text}`
  return refusals >= MOST_REFUSALS ? `refused ${refusals + 1} times: ${text}` : null
}

/** What becomes of a message that was refused for the first time; for people. */
export function nextTryText({ spam }: Pick<Answer, 'spam'>): string {
  return spam ? 'it is tried once more, after a day' : 'it is tried again after an hour, then less and less often'
}
