// Durations, sizes and rates as people write them: `90s`, `5m`, `12h`, `30d`; `500KB`, `50MB`, `1GB`; `30/m`. Pure.
// A bare number is neither, since nobody can tell what it counts. Whole numbers only; sizes are decimal, as disks are sold.

const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

const SIZE_UNITS = [
  ['GB', 1_000_000_000],
  ['MB', 1_000_000],
  ['KB', 1000],
] as const

type Units = readonly (readonly [name: string, factor: number])[]

function parse(text: string, units: Units): number | null {
  const written = /^(\d{1,15})([A-Za-z]{1,2})$/.exec(text)
  const unit = units.find(([name]) => name === written?.[2])
  if (!written || !unit) return null
  const value = Number(written[1]) * unit[1]
  return Number.isSafeInteger(value) ? value : null
}

function format(value: number, units: Units): string {
  const unit = units.find(([, factor]) => value >= factor && value % factor === 0)
  if (unit) return `${value / unit[1]}${unit[0]}`
  const smallest = units.at(-1) ?? ['', 1]
  return `${value / smallest[1]}${smallest[0]}`
}

/** Milliseconds; null: not a duration. */
export function parseDuration(text: string): number | null {
  return parse(text, DURATION_UNITS)
}

/** In the largest unit that divides it: `90s`, `1h`. */
export function formatDuration(durationMs: number): string {
  return format(durationMs, DURATION_UNITS)
}

/** Bytes; null: not a size. */
export function parseSize(text: string): number | null {
  return parse(text, SIZE_UNITS)
}

/** In the largest unit that divides it: `50MB`. */
export function formatSize(sizeBytes: number): string {
  return format(sizeBytes, SIZE_UNITS)
}

/** This many messages at most in any stretch of time of this length. */
export interface Rate {
  readonly messages: number
  readonly perMs: number
}

/** Messages a minute, an hour or a day; null: not a rate. */
export function parseRate(text: string): Rate | null {
  const [, messages, unit] = /^(\d{1,9})\/([mhd])$/.exec(text) ?? []
  const perMs = DURATION_UNITS.find(([name]) => name === unit)?.[1]
  return perMs === undefined || Number(messages) === 0 ? null : { messages: Number(messages), perMs }
}

export function formatRate({ messages, perMs }: Rate): string {
  return `${messages}/${DURATION_UNITS.find(([, factor]) => factor === perMs)?.[0] ?? ''}`
}

/** Permissions as they are written. */
export function formatMode(mode: number): string {
  return `0${mode.toString(8)}`
}
