// How much of the suite is run: everything, or a sample for every change. Each size can be set by itself, and the seed
// that all choices come from.

const sample = process.env['CRASH_MODE'] === 'sample'

function size(name: string, full: number, sampled: number): number {
  const given = process.env[name]
  return given === undefined ? (sample ? sampled : full) : Number(given)
}

/** Over all set-ups together. */
export const KILL_POINTS = size('CRASH_KILL_POINTS', 600, 36)
export const RANDOM_KILLS = size('CRASH_RANDOM_KILLS', 180, 12)
export const FAILED_CALLS = size('CRASH_FAILED_CALLS', 120, 12)
export const MODEL_RUNS = size('CRASH_MODEL_RUNS', 300, 25)
export const MANY_MESSAGES = size('CRASH_MANY_MESSAGES', 50_000, 1_500)
export const MANY_KILLS = size('CRASH_MANY_KILLS', 10, 3)
export const GMAIL_MESSAGES = size('CRASH_GMAIL_MESSAGES', 1000, 60)
export const GMAIL_KILLS = size('CRASH_GMAIL_KILLS', 200, 10)
export const IMAP_MESSAGES = size('CRASH_IMAP_MESSAGES', 1000, 60)
export const IMAP_KILLS = size('CRASH_IMAP_KILLS', 200, 8)
/** Of the 1,443 cases of a lost ledger, one in this many. */
export const RECOVERY_STEP = size('CRASH_RECOVERY_STEP', 1, 37)
export const SEED = size('CRASH_SEED', 1, 1)

/** Children at once: more than cores, for they wait for the disk. */
const AT_ONCE = size('CRASH_AT_ONCE', 3, 3)

/** Numbers from 0 up to 1, the same for the same seed (a linear congruential generator modulo 2³²). */
export function dice(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Up to `count` of the items, evenly spread, so that every kind that stands together is met. */
export function spread<T>(items: readonly T[], count: number): T[] {
  const wanted = Math.min(count, items.length)
  return Array.from({ length: wanted }, (_, at) => items[Math.floor(((at + 0.5) * items.length) / wanted)]!)
}

/** Works on all items, a few at a time; results in their order. */
export async function each<T, R>(items: readonly T[], work: (item: T, at: number) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  const worker = async (): Promise<void> => {
    for (const [at, item] of queue) results[at] = await work(item, at)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}
