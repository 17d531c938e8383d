// May one more message go to a destination now, under its `rate`? Pure: what was counted there × the clocks → an answer. The one
// rule: in no stretch of time of a rate's length go more messages than it says, whoever sends them. A clock that is set
// forward frees nothing, and one that is set back closes nothing for longer than a rate's length (S030, clock jumps).
import type { Rate } from '../../config/values/quantity.ts'
import type { ClockReading, Sent } from '../../ledger/destination.ts'

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Clocks that are read one after the other, and timers that are late, differ by less. */
const JUMP_MS = 5000

/** Since then are counts needed, whatever rate is written later. */
const KEPT_MS = DAY_MS

const NOTHING: Sent['counts'] = []

/** The counts as they are now: older ones are gone, and a clock that was set meanwhile has moved them with it. The same
 *  object where nothing changes. */
export function countsNow(sent: Sent | null, clock: ClockReading): Sent['counts'] {
  if (sent === null) return NOTHING
  const jumpMs = jumpBetween(sent.clock, clock)
  const isRight = ([lastMs]: Sent['counts'][number]): boolean => lastMs <= clock.nowMs && lastMs > clock.nowMs - KEPT_MS
  if (jumpMs === 0 && sent.counts.every(isRight)) return sent.counts
  return sent.counts
    .map(([lastMs, messages]) => [Math.min(lastMs + jumpMs, clock.nowMs), messages] as const)
    .filter(([lastMs]) => lastMs > clock.nowMs - KEPT_MS)
}

/** By how much the time of day went on more than time did. 0 where nothing tells: after a restart, on another machine. */
function jumpBetween(before: ClockReading, now: ClockReading): number {
  if (before.boot === '' || before.boot !== now.boot || now.upMs < before.upMs) return 0
  const jumpMs = now.nowMs - before.nowMs - (now.upMs - before.upMs)
  return Math.abs(jumpMs) < JUMP_MS ? 0 : jumpMs
}

/** One message more. */
export function withOneMore(counts: Sent['counts'], clock: ClockReading): Sent {
  const merged: (readonly [number, number])[] = []
  for (const [lastMs, messages] of [...counts, [clock.nowMs, 1] as const]) {
    const before = merged.at(-1)
    // Younger counts are told apart more finely: there are never more than some 200.
    const ageMs = clock.nowMs - lastMs
    const width = ageMs < MINUTE_MS ? SECOND_MS : ageMs < HOUR_MS ? MINUTE_MS : HOUR_MS / 2
    const isNear = before !== undefined && Math.floor(before[0] / width) === Math.floor(lastMs / width)
    if (isNear) merged.splice(-1, 1, [Math.max(before[0], lastMs), before[1] + messages])
    else merged.push([lastMs, messages])
  }
  return { counts: merged, clock }
}

/** How many messages may go now. */
export function freeOf(rates: readonly Rate[], counts: Sent['counts'], nowMs: number): number {
  return Math.min(...rates.map((rate) => rate.messages - countWithin(counts, nowMs - rate.perMs)))
}

function countWithin(counts: Sent['counts'], sinceMs: number): number {
  return counts.reduce((sum, [lastMs, messages]) => (lastMs > sinceMs ? sum + messages : sum), 0)
}

/** When the next message may go, if no other one goes before it; not after now: at once. */
export function nextFreeMs(rates: readonly Rate[], counts: Sent['counts'], nowMs: number): number {
  let nextMs = nowMs
  for (const { messages, perMs } of rates) {
    let left = countWithin(counts, nowMs - perMs)
    for (const [lastMs, some] of counts) {
      if (left < messages) break
      if (lastMs <= nowMs - perMs) continue
      left -= some
      nextMs = Math.max(nextMs, lastMs + perMs)
    }
  }
  return nextMs
}
