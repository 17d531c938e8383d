import { expect, test } from 'vitest'
import { compareSizes, SizeWatch } from '../../../src/poll/account/sizes.ts'

test.each([
  [10_000, 10_000, 'agrees'],
  [10_000, 9_800, 'agrees'],
  [10_000, 4_000, 'short'],
  [25, 0, 'short'],
  [2, 0, 'agrees'],
  [10_000, 10_200, 'agrees'],
  [10_000, 40_000, 'long'],
  [null, 5, 'agrees'],
] as const)(
  'announced %s, received %s: %s, when sizes have been exact (P108, P109, P148)',
  (announced, received, verdict) => expect(compareSizes(announced, received, true)).toBe(verdict),
)

test('where sizes were never exact, only an empty body is called short (P101)', () => {
  expect(compareSizes(10_000, 4_000, false)).toBe('agrees')
  expect(compareSizes(10_000, 40_000, false)).toBe('agrees')
  expect(compareSizes(10_000, 0, false)).toBe('short')
})

test('one harmless difference shows that sizes are only hints', () => {
  const watch = new SizeWatch(true)
  expect(watch.judge(1000, 1000)).toBe('agrees')
  expect(watch.exact).toBe(true)
  expect(watch.judge(1000, 1040)).toBe('agrees')
  expect(watch.exact).toBe(false)
  expect(watch.judge(10_000, 4_000)).toBe('agrees')
})
