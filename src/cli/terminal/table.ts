// Rows of text in columns. Pure.

/** A line for each row, in which every cell is as wide as its column. `right`: columns that are set to the right. */
export function tableLines(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [at, { length }] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, length)
  const cell = (text: string, at: number): string =>
    right.has(at) ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)
  return rows.map((row) => row.map(cell).join('  ').trimEnd())
}
