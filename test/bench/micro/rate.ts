// How much of something gets done in a second. It runs rounds until a second is over, after as many as the compiler needs. The
// median round counts.
import { median, noise } from '../statistics.ts'

export interface Work {
  readonly name: string
  /** What a round does `amount` of; the rate is told in that by the second. */
  readonly unit: string
  readonly amount: number
  /** One round, long enough for a clock: a millisecond or more. */
  readonly round: () => void | Promise<void>
}

const WARM_UP_MS = 500
const MEASURED_MS = 1_000
const LEAST_ROUNDS = 5

export interface Rate {
  readonly rate: number
  /** Of the middle half of the rounds: among many some always meet a collection of garbage. */
  readonly noise: number
  readonly rounds: number
}

export async function measureRate({ round, amount }: Work): Promise<Rate> {
  await repeat(round, WARM_UP_MS)
  const rates = (await repeat(round, MEASURED_MS)).map((ms) => (amount / ms) * 1000).sort((a, b) => a - b)
  const quarter = Math.floor(rates.length / 4)
  return { rate: median(rates), noise: noise(rates.slice(quarter, rates.length - quarter)), rounds: rates.length }
}

/** The duration of each round. */
async function repeat(round: Work['round'], totalMs: number): Promise<number[]> {
  const durationsMs: number[] = []
  const end = performance.now() + totalMs
  while (durationsMs.length < LEAST_ROUNDS || performance.now() < end) {
    const begun = performance.now()
    await round()
    durationsMs.push(performance.now() - begun)
  }
  return durationsMs
}
