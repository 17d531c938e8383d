import { expect, test } from 'vitest'
import { history, type BenchResult } from './results.ts'
import type { Verdict } from './target.ts'

const rate = { quantity: 'rate', of: 'popfetch', against: 'mpop', target: 0.7, stretch: 1 } as const
const machine = { processor: 'A processor', processors: 2, node: 'v24.21.0', load: 0.1 }

function run(date: string, commit: string | null, verdicts: readonly Verdict[]): BenchResult {
  const result = { case: 'small', title: 'small', others: 0.05, figures: [], verdicts, failures: [] }
  return { date, commit, machine, runs: 5, cases: [result] }
}

test('the history of a case has a table for each of its targets and a line for each run, and leaves out what was not judged', () => {
  const results = [
    run('2026-01-01T10:00:00.000Z', 'aaaaaaa', [{ ...rate, value: 0.26, noise: 0.01, verdict: 'missed' }]),
    run('2026-01-02T10:00:00.000Z', 'bbbbbbb', [{ ...rate, value: null, noise: 0, verdict: 'not-judged' }]),
    run('2026-01-03T10:00:00.000Z', null, [
      { ...rate, value: 0.71, noise: 0.02, verdict: 'met' },
      {
        ...rate,
        quantity: 'peakMegabytes',
        against: null,
        stretch: null,
        target: 150,
        value: 121.4,
        noise: 3,
        verdict: 'met',
      },
    ]),
  ]
  const [first = '', second = '', ...more] = history('small', results).split('\n\n')
  expect(more).toEqual([])
  expect(first.split('\n').map((line) => line.trim().split(/\s{2,}/))).toEqual([
    ['popfetch: × the rate of mpop, target ≥ 0.7, stretch 1'],
    ['commit', 'value', '±', 'verdict', 'runs', 'others', 'machine'],
    ['2026-01-01T10:00', 'aaaaaaa', '0.26', '0.01', 'missed', '5', '5 %', '2 × A processor, Node v24.21.0'],
    ['2026-01-03T10:00', '0.71', '0.02', 'met', '5', '5 %', '2 × A processor, Node v24.21.0'],
  ])
  expect(second).toContain('popfetch: MB at most, target ≤ 150')
  expect(second).toMatch(/121 +3 +met/)
})

test('a case that never ran has no history', () => {
  expect(history('large', [run('2026-01-01T10:00:00.000Z', 'aaaaaaa', [])])).toBe('no run of large is kept')
})
