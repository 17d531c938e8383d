// How much more work a text four times as long makes. Time of the processor, not of the clock: a busy machine changes nothing
// about it. The best of several runs counts, because what disturbs only adds.

/** A growth with the length is 4; with its square, 16. This is as far from the one as from the other. */
export const LINEAR = 8

/** What takes less for the long text is too small to be compared, and too small to hurt: the square of these lengths takes seconds. */
const NOTHING_MS = 8
const RUNS = 5
/** The collector may come at a bad moment; a square comes out every time. */
const ROUNDS = 6

/** How many times as long the work for 4 n takes as that for n; 1: too short to say. */
export function growth(work: (n: number) => unknown, n: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS && least > LINEAR; round += 1) {
    const largeMs = leastMs(() => work(4 * n))
    least = Math.min(least, largeMs < NOTHING_MS ? 1 : largeMs / leastMs(() => work(n)))
  }
  return least
}

function leastMs(work: () => unknown): number {
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < RUNS && least > 0; run += 1) {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1000)
    // Nobody waits for the others when one alone says enough.
    if (least < NOTHING_MS / 2) break
  }
  return Math.max(least, 0.01)
}
