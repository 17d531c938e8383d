// What a poll adds to the counts of its day, by which people see how the last weeks went. Pure.
import type { AccountRecord, DayCounts, FactChanges } from '../../ledger/ledger.ts'
import { waitingSinceMs } from './waiting.ts'

interface After {
  readonly before: Pick<AccountRecord, 'failures' | 'facts'>
  /** What changes of its facts. */
  readonly facts: FactChanges
  readonly failures: number
}

/** Null: nothing. A poll that only found a destination left alone is no failure of its own. */
export function dayCounts(
  { delivered, bytes }: { readonly delivered: number; readonly bytes: number },
  { before, facts, failures: now }: After,
  nowMs: number,
): DayCounts | null {
  const sinceMs = waitingSinceMs(before, facts)
  const longestWaitMs = sinceMs === null ? 0 : Math.max(0, nowMs - sinceMs)
  const failures = now > before.failures ? 1 : 0
  return delivered + bytes + failures + longestWaitMs === 0 ? null : { delivered, bytes, failures, longestWaitMs }
}
