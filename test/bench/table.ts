// Rows of figures as a table for people. Ratios are against the reference, a peer, in the same run: above 1 is faster than it.
import { median, spread, type Usage } from './measure.ts'

export interface Row {
  readonly name: string
  readonly usages: readonly Usage[]
  /** Why there are no figures. */
  readonly error: string | null
}

export interface Amount {
  readonly messages: number
  readonly bytes: number
}

export interface Figures {
  readonly name: string
  readonly runs: number
  readonly seconds: number
  readonly spread: number
  readonly messagesPerSecond: number
  readonly megabytesPerSecond: number
  readonly cpuSeconds: number
  readonly peakMegabytes: number
  /** The reference's time divided by this one's; null without a reference. */
  readonly ratio: number | null
}

export function figures(rows: readonly Row[], amount: Amount, reference: string): Figures[] {
  const secondsOf = (row: Row): number => median(row.usages.map((usage) => usage.seconds))
  const measured = rows.filter((row) => row.usages.length > 0)
  const other = measured.find((row) => row.name === reference)
  return measured.map((row) => {
    const seconds = secondsOf(row)
    return {
      name: row.name,
      runs: row.usages.length,
      seconds,
      spread: spread(row.usages.map((usage) => usage.seconds)),
      messagesPerSecond: amount.messages / seconds,
      megabytesPerSecond: amount.bytes / 1e6 / seconds,
      cpuSeconds: median(row.usages.map((usage) => usage.cpuSeconds)),
      peakMegabytes: Math.max(...row.usages.map((usage) => usage.peakBytes)) / 1e6,
      ratio: other === undefined ? null : secondsOf(other) / seconds,
    }
  })
}

const headings = ['', 'seconds', '±', 'msg/s', 'MB/s', 'CPU s', 'peak MB', 'speed', 'runs']

export function table(all: readonly Figures[], reference: string): string {
  const cells = all.map((row) => [
    row.name,
    row.seconds.toFixed(3),
    `${Math.round(row.spread * 100)} %`,
    row.messagesPerSecond > 0 ? row.messagesPerSecond.toFixed(0) : '',
    row.megabytesPerSecond > 0 ? row.megabytesPerSecond.toFixed(1) : '',
    row.cpuSeconds.toFixed(2),
    row.peakMegabytes.toFixed(0),
    row.ratio === null ? '' : `${row.ratio.toFixed(2)} × ${reference}`,
    String(row.runs),
  ])
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  return [headings, ...cells].map((row) => `  ${line(row).trimEnd()}`).join('\n')
}
