// Points in time, for people and for programs. Pure; times are kept as milliseconds since 1970, UTC (S032).

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** ISO 8601, UTC. Null for null, and for 0, which means "any time" (`retryAfterMs`, `pausedUntilMs`). */
export function iso(ms: number | null): string | null {
  return ms === null || ms === 0 ? null : exact(ms)
}

/** ISO 8601, UTC, to the second: for what is read in another place than popfetch runs. For people here: localStamp of display.ts. */
export function stamp(ms: number): string {
  return exact(ms).replace(/\.\d+Z$/, 'Z')
}

// Beyond this a Date is invalid (ECMAScript 21.4.1.1). A ledger that was written under a broken clock is shown all the same.
const LAST_DATE_MS = 8.64e15

function exact(ms: number): string {
  return new Date(Math.max(-LAST_DATE_MS, Math.min(LAST_DATE_MS, ms))).toISOString()
}

/** A time to come, in its largest unit, rounded up: what is `in 1 h` is not before that. */
export function timeUntil(ms: number): string {
  const unit = ms <= MINUTE_MS ? 1000 : ms <= HOUR_MS ? MINUTE_MS : ms <= 2 * DAY_MS ? HOUR_MS : DAY_MS
  return span(Math.ceil(ms / unit) * unit)
}

/** A span in its largest unit: `40 s`, `3 min`, `5 h`, `2 days`. Never none: the shortest, and a negative one (a clock was set
 *  back), is `1 s`. */
export function span(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.max(1, Math.floor(ms / 1000))} s`
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`
  // In hours up to two days: "1 day" would also stand for nearly two.
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`
  return `${Math.floor(ms / DAY_MS)} days`
}
