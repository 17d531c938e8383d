// "Did you mean": the known word nearest to a mistyped one. Pure.

/** The word of `known` that takes the fewest changed, missing, added or swapped letters; null when none is near enough. */
export function near(typed: string, known: readonly string[]): string | null {
  // One slip in a short word, two in a longer one: beyond that a guess is noise.
  const slips = typed.length < 5 ? 1 : 2
  let best: string | null = null
  let fewest = slips + 1
  for (const word of known) {
    if (Math.abs(word.length - typed.length) > slips) continue
    const count = distance(typed.toLowerCase(), word.toLowerCase())
    if (count < fewest) {
      best = word
      fewest = count
    }
  }
  return best
}

/** Edit distance in which two letters swapped count once (optimal string alignment). */
function distance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const changed = (last[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      let least = Math.min(changed, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1)
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1)
      }
      row.push(least)
    }
    beforeLast = last
    last = row
  }
  return last[to.length] ?? 0
}
