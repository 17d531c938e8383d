import { expect, test } from 'vitest'
import { duration, size } from '../../../src/status/words/amounts.ts'

test.each([
  [0, '0 B'],
  [0.4, '1 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [48_213, '48.2 kB'],
  [999_949, '999.9 kB'],
  [999_950, '1.0 MB'],
  [25e6, '25.0 MB'],
  [1.5e15, '1500.0 TB'],
])('%i bytes are %s', (bytes, text) => {
  expect(size(bytes)).toBe(text)
})

test.each([
  [0.2, '1 ms'],
  [412, '412 ms'],
  [999.6, '1.0 s'],
  [1000, '1.0 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min 0 s'],
  [75_000, '1 min 15 s'],
  [3_599_600, '1 h 0 min'],
  [7_260_000, '2 h 1 min'],
])('%i milliseconds are %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})
