// By which clock a message is old enough to be deleted. A wall clock may jump by years for one poll (a flat battery, a restored
// machine). So the age is taken from a time that an earlier poll, at least an hour ago, saw too (S030, P142). A clock that was
// behind and is set right has jumped as well. So only part of a long time between two polls counts, whatever the clock says
// (S040). Pure.

const HOUR_MS = 3_600_000

/** Polls that lie further apart are taken for a clock that was set. */
const JUMP_MS = 7 * 24 * HOUR_MS

/** More of them are not remembered one by one. */
const MOST_JUMPS = 16

/** The polls before and after a jump. */
export interface Jump {
  readonly fromMs: number
  readonly toMs: number
}

/** What is remembered between polls: the last checkpoint and the one before; null: none. */
export interface Checkpoints {
  readonly lastMs: number | null
  readonly beforeMs: number | null
  /** In the order of time. */
  readonly jumps?: readonly Jump[]
}

export interface AgeClock {
  /** Ages are counted up to here; null: nothing is old enough yet, whatever it says. */
  readonly agedMs: number | null
  readonly checkpoints: Checkpoints
  /** There was no checkpoint, or a later one: to be remembered before anything is first seen. */
  readonly isNew: boolean
}

export function ageClock({ lastMs, beforeMs, jumps = [] }: Checkpoints, nowMs: number): AgeClock {
  // Set back, or never set: whoever was old by the later time may not be.
  if (lastMs === null || nowMs < lastMs)
    return {
      agedMs: null,
      checkpoints: { lastMs: nowMs, beforeMs: null, jumps: jumpsUntil(nowMs, jumps) },
      isNew: true,
    }
  if (nowMs - lastMs >= HOUR_MS) {
    const jumped = nowMs - lastMs > JUMP_MS ? bounded([...jumps, { fromMs: lastMs, toMs: nowMs }]) : jumps
    return { agedMs: lastMs, checkpoints: { lastMs: nowMs, beforeMs: lastMs, jumps: jumped }, isNew: false }
  }
  return { agedMs: beforeMs, checkpoints: { lastMs, beforeMs, jumps }, isNew: false }
}

/** Not before then does any age count; null: ages count now. */
export function settlesMs({ agedMs, checkpoints: { lastMs } }: AgeClock): number | null {
  return agedMs === null && lastMs !== null ? lastMs + HOUR_MS : null
}

/** What was first seen until then is `ageMs` old; null: nothing is. Each jump counts a quarter of that age, a week at most. So
 *  a jump that was none costs little, and a jump of years deletes nothing too early. */
export function oldUpTo({ agedMs, checkpoints: { jumps = [] } }: AgeClock, ageMs: number): number | null {
  if (agedMs === null) return null
  const countedMs = Math.min(JUMP_MS, ageMs / 4)
  let leftMs = ageMs
  let untilMs = agedMs
  for (const { fromMs, toMs } of jumps.filter((jump) => jump.toMs <= agedMs).toReversed()) {
    if (leftMs <= untilMs - toMs) break
    leftMs -= untilMs - toMs
    if (leftMs <= countedMs) return fromMs
    leftMs -= countedMs
    untilMs = fromMs
  }
  return untilMs - leftMs
}

/** The jumps that a clock made up to a time that it was set back to: what was first seen before them still was. */
function jumpsUntil(nowMs: number, jumps: readonly Jump[]): readonly Jump[] {
  return jumps
    .map(({ fromMs, toMs }) => ({ fromMs, toMs: Math.min(toMs, nowMs) }))
    .filter(({ fromMs, toMs }) => toMs - fromMs > JUMP_MS)
}

/** The two oldest become one: then less counts, never more. */
function bounded(jumps: readonly Jump[]): readonly Jump[] {
  const [first, second, ...others] = jumps
  if (jumps.length <= MOST_JUMPS || first === undefined || second === undefined) return jumps
  return [{ fromMs: first.fromMs, toMs: second.toMs }, ...others]
}

/** As facts of the account (AccountRecord.facts). */
export function clockFacts({ checkpoints: { lastMs, beforeMs, jumps } }: AgeClock) {
  return {
    clock: lastMs === null ? null : String(lastMs),
    clockJumps: jumpsText(jumps),
    clockBefore: beforeMs === null ? null : String(beforeMs),
  }
}

function jumpsText(jumps: readonly Jump[] = []): string | null {
  return jumps.length === 0 ? null : jumps.map(({ fromMs, toMs }) => `${fromMs}-${toMs}`).join(' ')
}

export function jumpsOf(text: string | undefined): readonly Jump[] {
  return (text ?? '').split(' ').flatMap((one) => {
    const [, from, to] = /^(\d+)-(\d+)$/.exec(one) ?? []
    return from === undefined || to === undefined ? [] : [{ fromMs: Number(from), toMs: Number(to) }]
  })
}
