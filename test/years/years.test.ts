// Nothing grows forever: after years of use the folders are no larger than after one whole year (the second). A small span in the offline suite; the whole by
// POPFETCH_YEARS=10 (50 accounts, a poll a week, or every POPFETCH_STEP days), which takes some minutes and prints its figures.
import { expect, test, vi } from 'vitest'
import { live, type Measured, type Span } from './years.ts'

const whole = process.env['POPFETCH_YEARS']
const SPAN: Span =
  whole === undefined
    ? { years: 3, accounts: 6, stepDays: 21 }
    : { years: Number(whole), accounts: 50, stepDays: Number(process.env['POPFETCH_STEP'] ?? 7) }
/** SQLite's pages are never all full, and the ledger has a few copies. Its rows are counted as well. */
const SLACK = 1.2

function total({ bytes }: Measured): number {
  return Object.values(bytes).reduce((sum, one) => sum + one, 0)
}

test(
  'after years the folders are no larger than after one',
  async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const measured = await live(SPAN, (ms) => vi.setSystemTime(ms))
      if (whole !== undefined || process.env['POPFETCH_FIGURES'] !== undefined)
        for (const year of measured) console.log(JSON.stringify(year))
      // The first year begins with nothing: no account has gone yet, no restore has found a ledger of its size.
      const [first, last] = [measured[1], measured.at(-1)]
      if (first === undefined || last === undefined) throw new Error('no year was lived')
      expect(last.bytes.tmp).toBe(0)
      expect(last.bytes.spool).toBe(0)
      expect([last.files <= first.files + 8, last.files, first.files]).toEqual([true, last.files, first.files])
      expect([total(last) <= SLACK * total(first), last, first]).toEqual([true, last, first])
      const rows = Object.entries(last.rows).map(([table, count]) => [
        table,
        count <= SLACK * (first.rows[table] ?? 0) + 4,
      ])
      expect(rows).toEqual(Object.keys(last.rows).map((table) => [table, true]))
    } finally {
      vi.useRealTimers()
    }
  },
  whole === undefined ? 120_000 : 3_600_000,
)
