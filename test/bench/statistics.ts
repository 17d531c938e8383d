// What many runs come to.

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2
}

// With fewer runs none can be told from the others.
const RUNS_WITH_OUTLIER = 5

/** How far the median may be off: half the distance between the least and the greatest. Of five or more runs the one
 *  farthest from the median does not count: one bad moment of the machine would forgive everything. */
export function noise(values: readonly number[]): number {
  const center = median(values)
  const nearest = values.toSorted((a, b) => Math.abs(a - center) - Math.abs(b - center))
  const counted = values.length < RUNS_WITH_OUTLIER ? nearest : nearest.slice(0, -1)
  return (Math.max(...counted) - Math.min(...counted)) / 2
}
