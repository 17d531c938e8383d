// Since when the first of the messages waits that a destination lacks for the time being. A fact of the account, by which a person
// is told of mail that waits for long though the account works (N041). Pure.
import type { AccountRecord, FactChanges } from '../../ledger/ledger.ts'
import type { Checkpoints } from '../plan/age-clock.ts'

/** In AccountRecord.facts. */
const DEFERRED_SINCE = 'deferredSince'

/** After a poll. `sinceMs`: when the first of them was first seen; null: none waits. A clock that was behind then says
 *  nothing of how long that is (S040). */
export function waitingFacts(sinceMs: number | null, { jumps = [] }: Checkpoints, nowMs: number): FactChanges {
  const jumpedMs = jumps.at(-1)?.toMs ?? 0
  return { [DEFERRED_SINCE]: sinceMs === null ? null : String(Math.min(Math.max(sinceMs, jumpedMs), nowMs)) }
}

/** Null: none waits. `changes`: of these facts, which are not in them yet. */
export function waitingSinceMs(
  { facts }: Pick<AccountRecord, 'facts'>,
  { [DEFERRED_SINCE]: changed }: FactChanges = {},
): number | null {
  const fact = changed === undefined ? facts[DEFERRED_SINCE] : changed
  return fact === undefined || fact === null ? null : Number(fact)
}
