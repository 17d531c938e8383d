// What a figure must come to, and whether it does. Pure. The one rule: only a shortfall that is larger than the noise of the
// very runs it was measured in (statistics.ts) is a miss. A single run tells of no noise, and none is forgiven.
import { median, noise } from './statistics.ts'

export type Quantity =
  | 'rate'
  | 'time'
  | 'extraMs'
  | 'messagesPerSecond'
  | 'microsecondsEach'
  | 'seconds'
  | 'peakMegabytes'
  | 'standstillMs'
  | 'exchanges'

export interface Target {
  readonly quantity: Quantity
  /** The contender it is about. */
  readonly of: string
  /** The contender of the same run that `rate`, `time` and `extraMs` are told against; null for the others. */
  readonly against: string | null
  readonly target: number
  readonly stretch: number | null
}

/** All runs of one contender. What was not measured is empty. */
export interface Sample {
  readonly name: string
  readonly seconds: readonly number[]
  readonly peakMegabytes: readonly number[]
  readonly standstillMs: readonly number[]
  readonly exchanges: readonly number[]
}

export interface Verdict extends Target {
  readonly verdict: 'stretch' | 'met' | 'within-noise' | 'missed' | 'not-judged'
  /** null: not judged. */
  readonly value: number | null
  /** How far the value may be off either way, in its own unit. */
  readonly noise: number
}

/** `messages`: how many one run moves, for rates by the second. A contender that is not there: not judged. */
export function judge(target: Target, samples: readonly Sample[], messages: number): Verdict {
  const own = samples.find(({ name }) => name === target.of)
  const other = samples.find(({ name }) => name === target.against)
  const figure = own === undefined ? null : figureOf(target, own, other, messages)
  if (figure === null) return { ...target, verdict: 'not-judged', value: null, noise: 0 }
  return { ...target, ...figure, verdict: verdictOf(target, figure) }
}

/** A value and how far it may be off. */
interface Figure {
  readonly value: number
  readonly noise: number
}

function figureOf({ quantity }: Target, own: Sample, other: Sample | undefined, messages: number): Figure | null {
  const seconds = center(own.seconds)
  const others = other === undefined ? null : center(other.seconds)
  switch (quantity) {
    case 'rate':
      return quotient(others, seconds)
    case 'time':
      return quotient(seconds, others)
    case 'extraMs':
      if (seconds === null || others === null) return null
      return { value: (seconds.value - others.value) * 1000, noise: (seconds.noise + others.noise) * 1000 }
    case 'messagesPerSecond':
      return quotient({ value: messages, noise: 0 }, seconds)
    case 'microsecondsEach':
      return quotient(seconds === null ? null : { value: seconds.value * 1e6, noise: seconds.noise * 1e6 }, {
        value: messages,
        noise: 0,
      })
    case 'seconds':
    case 'peakMegabytes':
    case 'standstillMs':
    case 'exchanges':
      return center(own[quantity])
  }
}

/** The median; null of nothing. */
function center(values: readonly number[]): Figure | null {
  if (values.length === 0) return null
  return { value: median(values), noise: noise(values) }
}

/** To first order the noises of a quotient add up, each as a part of its own value. */
function quotient(dividend: Figure | null, divisor: Figure | null): Figure | null {
  if (dividend === null || divisor === null) return null
  const value = dividend.value / divisor.value
  return { value, noise: value * (dividend.noise / dividend.value + divisor.noise / divisor.value) }
}

function verdictOf({ quantity, target, stretch }: Target, { value, noise }: Figure): Verdict['verdict'] {
  const moreIsBetter = quantity === 'rate' || quantity === 'messagesPerSecond'
  const reaches = (bound: number): boolean => (moreIsBetter ? value >= bound : value <= bound)
  if (stretch !== null && reaches(stretch)) return 'stretch'
  if (reaches(target)) return 'met'
  return Math.abs(value - target) <= noise ? 'within-noise' : 'missed'
}

const units: Readonly<Record<Quantity, { readonly digits: number; readonly words: string; readonly bound: string }>> = {
  rate: { digits: 2, words: '× the rate of', bound: '≥' },
  time: { digits: 2, words: '× the time of', bound: '≤' },
  extraMs: { digits: 0, words: 'ms more than', bound: '≤' },
  messagesPerSecond: { digits: 0, words: 'messages/s', bound: '≥' },
  microsecondsEach: { digits: 0, words: 'µs a message', bound: '≤' },
  seconds: { digits: 2, words: 's', bound: '≤' },
  peakMegabytes: { digits: 0, words: 'MB at most', bound: '≤' },
  standstillMs: { digits: 0, words: 'ms without a turn of the event loop', bound: '≤' },
  exchanges: { digits: 0, words: 'exchanges after the greeting', bound: '≤' },
}

/** A verdict in words, in parts. */
export function format({ quantity, of, against, target, stretch, value, noise }: Verdict): {
  readonly value: string
  readonly noise: string
  /** "popfetch: × the rate of mpop, target ≥ 0.7, stretch 1" */
  readonly wanted: string
} {
  const { digits, words, bound } = units[quantity]
  const bounds = `target ${bound} ${target}${stretch === null ? '' : `, stretch ${stretch}`}`
  return {
    value: value?.toFixed(digits) ?? '',
    noise: noise.toFixed(digits),
    wanted: `${of}: ${words}${against === null ? '' : ` ${against}`}, ${bounds}`,
  }
}

/** The same as one line. */
export function line(judged: Verdict): string {
  const { value, noise, wanted } = format(judged)
  if (judged.value === null) return `${wanted}: not judged`
  return `${wanted}: ${value}${judged.noise === 0 ? '' : ` ± ${noise}`}, ${judged.verdict}`
}
