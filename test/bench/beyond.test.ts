import { expect, test } from 'vitest'
import { beyond } from './beyond.ts'
import type { Row } from './table.ts'

function row(name: string, seconds: readonly number[], error: string | null = null): Row {
  const usages = seconds.map((each) => ({
    seconds: each,
    cpuSeconds: each / 2,
    peakBytes: 1,
    standstillMs: null,
    printed: '',
  }))
  return { name, usages, error }
}

test('of each round the run over few messages is taken from the run over many, by the same contender', () => {
  const [one, other] = beyond(
    [row('popfetch', [1, 2]), row('mpop', [0.5, 0.5])],
    [row('popfetch', [4, 6]), row('mpop', [1.5, 2.5])],
  )
  expect(one?.usages.map(({ seconds, cpuSeconds }) => [seconds, cpuSeconds])).toEqual([
    [3, 1.5],
    [4, 2],
  ])
  expect(other?.usages.map(({ seconds }) => seconds)).toEqual([1, 2])
})

test('a round that one of the two lacks does not count, and the error of either is kept', () => {
  const [one, other] = beyond([row('a', [1], 'few'), row('b', [1, 1])], [row('a', [4, 6]), row('b', [4], 'many')])
  expect([one?.usages.length, one?.error]).toEqual([1, 'few'])
  expect([other?.usages.length, other?.error]).toEqual([1, 'many'])
})
