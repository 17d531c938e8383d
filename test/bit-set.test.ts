import { expect, test } from 'vitest'
import { BitSet } from '../src/bit-set.ts'

test('a set of bits holds what was added and nothing else', () => {
  const set = new BitSet()
  for (const value of [1, 8, 9, 100_000, 9]) set.add(value)
  expect(set.size).toBe(4)
  expect([0, 1, 7, 8, 9, 10, 100_000, 100_001].filter((value) => set.has(value))).toEqual([1, 8, 9, 100_000])
})

test('tells the next value that it holds, itself included', () => {
  const set = new BitSet()
  for (const value of [1, 8, 9, 100_000]) set.add(value)
  expect([0, 1, 2, 8, 9, 10, 100_000, 100_001, 5_000_000].map((from) => set.next(from))).toEqual([
    1, 1, 8, 8, 9, 100_000, 100_000, -1, -1,
  ])
  expect(new BitSet().next(0)).toBe(-1)
})
