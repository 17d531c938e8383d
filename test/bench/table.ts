// The runs of a case as figures, and figures as a table for people. Speeds are told against the reference, a contender of the
// same run: above 1 is faster than it.
import type { Usage } from './measure.ts'
import { median, noise } from './statistics.ts'
import type { Sample } from './target.ts'

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
  /** Of each run, in their order. */
  readonly allSeconds: readonly number[]
  /** How far `seconds` may be off. */
  readonly noise: number
  readonly messagesPerSecond: number
  readonly megabytesPerSecond: number
  readonly cpuSeconds: number
  readonly peakMegabytes: number
  /** The reference's time divided by this one's; null without a reference. */
  readonly ratio: number | null
}

export function sampleOf({ name, usages }: Row): Sample {
  return {
    name,
    seconds: usages.map(({ seconds }) => seconds),
    peakMegabytes: usages.map(({ peakBytes }) => peakBytes / 1e6),
    standstillMs: usages.flatMap(({ standstillMs }) => standstillMs ?? []),
    exchanges: [],
  }
}

export function figures(rows: readonly Row[], amount: Amount, reference: string): Figures[] {
  const samples = rows.filter((row) => row.usages.length > 0)
  const other = samples.find((row) => row.name === reference)
  return samples.map((row) => {
    const seconds = medianSeconds(row)
    return {
      name: row.name,
      runs: row.usages.length,
      seconds: rounded(seconds),
      allSeconds: row.usages.map((usage) => rounded(usage.seconds)),
      noise: rounded(noise(row.usages.map((usage) => usage.seconds))),
      messagesPerSecond: rounded(amount.messages / seconds),
      megabytesPerSecond: rounded(amount.bytes / 1e6 / seconds),
      cpuSeconds: rounded(median(row.usages.map((usage) => usage.cpuSeconds))),
      peakMegabytes: rounded(median(row.usages.map((usage) => usage.peakBytes)) / 1e6),
      ratio: other === undefined ? null : rounded(medianSeconds(other) / seconds),
    }
  })
}

function medianSeconds(row: Row): number {
  return median(row.usages.map((usage) => usage.seconds))
}

/** More digits would be clock noise in the files of results. */
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}

const headings = ['', 'seconds', '±', 'msg/s', 'MB/s', 'CPU s', 'peak MB', 'speed', 'runs']

export function table(all: readonly Figures[], reference: string): string {
  const cells = all.map((row) => [
    row.name,
    row.seconds.toFixed(3),
    `${Math.round((row.noise / row.seconds) * 100)} %`,
    row.messagesPerSecond > 0 ? row.messagesPerSecond.toFixed(0) : '',
    row.megabytesPerSecond > 0 ? row.megabytesPerSecond.toFixed(1) : '',
    row.cpuSeconds.toFixed(2),
    row.peakMegabytes.toFixed(0),
    row.ratio === null ? '' : `${row.ratio.toFixed(2)} × ${reference}`,
    String(row.runs),
  ])
  return columns([headings, ...cells])
}

/** The first column is text, the others are numbers. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  return rows.map((row) => `  ${line(row).trimEnd()}`).join('\n')
}
