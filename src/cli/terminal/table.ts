// Rows of text in columns. Pure.
import { cellsOf, padded } from './width.ts'

/** A line for each row, in which every cell is as wide as its column. `right`: columns that are set to the right. */
export function tableLines(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [at, text] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cellsOf(text))
  const cell = (text: string, at: number): string => padded(text, widths[at] ?? 0, right.has(at) ? 'right' : 'left')
  return rows.map((row) => row.map(cell).join('  ').trimEnd())
}
