import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../src/config/values/quantity.ts'

const DURATIONS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZES = { KB: 1000, MB: 1_000_000, GB: 1_000_000_000 }

describe.each([
  ['duration', DURATIONS, parseDuration, formatDuration],
  ['size', SIZES, parseSize, formatSize],
] as const)('a %s', (_, units, parse, format) => {
  test('is a whole number of its unit', () => {
    const written = fc.tuple(fc.nat(100_000), fc.constantFrom(...Object.entries(units)))
    fc.assert(fc.property(written, ([count, [unit, factor]]) => parse(`${count}${unit}`) === count * factor))
  })

  test('is written so that it is read as the same again', () => {
    const smallest = Math.min(...Object.values(units))
    fc.assert(fc.property(fc.nat(), (count) => parse(format(count * smallest)) === count * smallest))
  })

  test('is nothing else than digits and one of the units', () => {
    const form = new RegExp(`^\\d{1,15}(?:${Object.keys(units).join('|')})$`)
    const nearly = fc.stringMatching(/^[ +-]?[0-9.,]{0,4} ?[smhdKMGB]{0,3}\n?$/)
    fc.assert(fc.property(fc.oneof(nearly, fc.string()), (text) => (parse(text) === null) === !form.test(text)))
  })

  test('is never beyond what a number holds exactly', () => {
    const unit = Object.keys(units).at(-1)
    expect(parse(`999999999999999${unit}`)).toBeNull()
    expect(parse(`9999999999999999${unit}`)).toBeNull()
  })
})

test.each([
  ['90s', 90_000],
  ['5m', 300_000],
  ['12h', 43_200_000],
  ['30d', 2_592_000_000],
])('%s is %i ms', (text, durationMs) => {
  expect(parseDuration(text)).toBe(durationMs)
})

test.each(['', '5', 's', '1.5h', '-1s', '5 m', '5M', '1w', '1h30m', '٣s'])('"%s" is no duration', (text) => {
  expect(parseDuration(text)).toBeNull()
})

test.each(['', '500', 'KB', '1.5GB', '5kb', '5 MB', '5M', '1TB'])('"%s" is no size', (text) => {
  expect(parseSize(text)).toBeNull()
})
