// When what failed is to be tried again: deletions that a server does not carry out, messages that ended sessions. Pure.
import type { KnownMessage } from '../../ledger/ledger.ts'

const DAY_MS = 86_400_000

/** A server that was told so often to delete a message, and still has it, is asked only once a day from then on (P134). */
export const MOST_DELETIONS = 5

type Deletable = Pick<KnownMessage, 'deletions' | 'deletion'>

/** From when on is the server asked to delete this message? 0: now. Infinity: it must first show that it kept the message. */
export function deletionDueMs({ deletions, deletion }: Deletable): number {
  if (deletions < MOST_DELETIONS) return 0
  return deletion === null ? Infinity : deletion.wantedSinceMs + DAY_MS
}

/** Is the server to be asked now for the deletion of this message? */
export function isDueDeletion(message: Deletable, nowMs: number): boolean {
  const dueMs = deletionDueMs(message)
  return dueMs !== Infinity && hasCome(dueMs, nowMs)
}

/** What ended a session so often is asked for once a day. */
const MOST_HARM = 5

/** When is what ended sessions asked for again, unless a person asks? 0: at each poll. */
export function harmlessFromMs(harm: KnownMessage['harm']): number {
  return harm === null || harm.times < MOST_HARM ? 0 : harm.lastMs + DAY_MS
}

/** Is it that time? Nothing is put off for more than a day: a clock that was set back must not put it off for years (S030). */
export function hasCome(afterMs: number, nowMs: number): boolean {
  return afterMs <= nowMs || afterMs - nowMs > DAY_MS
}
