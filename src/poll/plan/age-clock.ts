// By which clock a message is old enough to be deleted. A wall clock may jump by years for one poll (a flat battery, a
// restored machine): so the age is taken from a time that an earlier poll, at least an hour ago, saw too (S030, P142). Pure.

const HOUR_MS = 3_600_000

/** What is remembered between polls: the last checkpoint and the one before; null: none. */
export interface Checkpoints {
  readonly lastMs: number | null
  readonly beforeMs: number | null
}

export interface AgeClock {
  /** Ages are counted up to here; null: nothing is old enough yet, whatever it says. */
  readonly agedMs: number | null
  readonly checkpoints: Checkpoints
}

export function ageClock({ lastMs, beforeMs }: Checkpoints, nowMs: number): AgeClock {
  // Set back, or never set: whoever was old by the later time may not be.
  if (lastMs === null || nowMs < lastMs) return { agedMs: null, checkpoints: { lastMs: nowMs, beforeMs: null } }
  if (nowMs - lastMs >= HOUR_MS) return { agedMs: lastMs, checkpoints: { lastMs: nowMs, beforeMs: lastMs } }
  return { agedMs: beforeMs, checkpoints: { lastMs, beforeMs } }
}
