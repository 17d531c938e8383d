// "Did you mean …?": the known word nearest to one that is not known. Pure.

/** The nearest of `words` within two slips (one in a word of up to four letters); null: none is near. */
export function nearest(word: string, words: Iterable<string>): string | null {
  let best: string | null = null
  let bestSlips = word.length <= 4 ? 2 : 3
  // So long a text is no slip, and the cost grows with the square of its length.
  if (word.length > 64) return null
  for (const known of words) {
    if (Math.abs(known.length - word.length) >= bestSlips) continue
    const slips = distance(word.toLowerCase(), known.toLowerCase())
    if (slips < bestSlips) [best, bestSlips] = [known, slips]
  }
  return best
}

/** Letters left out, put in, mistaken or swapped with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  let older: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const mistaken = a[i - 1] === b[j - 1] ? 0 : 1
      let slips = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + mistaken)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        slips = Math.min(slips, (older[j - 2] ?? 0) + 1)
      }
      row.push(slips)
    }
    ;[older, previous] = [previous, row]
  }
  return previous[b.length] ?? 0
}
