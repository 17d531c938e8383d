import { expect, test } from 'vitest'
import { iso, span, stamp, timeUntil } from '../../../src/status/words/moment.ts'

test('points in time are ISO 8601 in UTC, and none where there is none', () => {
  expect(iso(1_764_000_000_123)).toBe('2025-11-24T16:00:00.123Z')
  expect(stamp(1_764_000_000_123)).toBe('2025-11-24T16:00:00Z')
  expect([iso(null), iso(0)]).toEqual([null, null])
})

test('a time that no date can hold does not stop the answer', () => {
  expect(iso(1e300)).toMatch(/Z$/)
  expect(stamp(-1e300)).toMatch(/Z$/)
})

test.each([
  [-5000, '1 s'],
  [0, '1 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3_599_999, '59 min'],
  [3_600_000, '1 h'],
  [172_799_999, '47 h'],
  [172_800_000, '2 days'],
])('%i ms are %s', (ms, text) => {
  expect(span(ms)).toBe(text)
})

test.each([
  [-5000, '1 s'],
  [0, '1 s'],
  [59_001, '1 min'],
  [60_001, '2 min'],
  [3_540_001, '1 h'],
  [3_600_000, '1 h'],
  [7_140_000, '2 h'],
  [172_800_001, '3 days'],
])('until a time that is %i ms away it is %s: never less (B11)', (ms, text) => {
  expect(timeUntil(ms)).toBe(text)
})
