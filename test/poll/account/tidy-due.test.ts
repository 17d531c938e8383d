import { expect, test } from 'vitest'
import { isTidyDue } from '../../../src/poll/account/tidy-due.ts'

const DAY_MS = 86_400_000
const NOW_MS = 100 * DAY_MS
const configuration = {
  accounts: [{ name: 'work' }],
  disabled: [{ name: 'resting' }],
  destinations: new Map([['out', {}]]),
} as never
const old = { sinceMs: 0, agedMs: 0 }

test.each([
  ['nothing was ever noted', null, true],
  ['somebody looked less than a day ago', { lookedMs: NOW_MS - DAY_MS + 1, departed: {} }, false],
  ['a day has passed', { lookedMs: NOW_MS - DAY_MS, departed: {} }, true],
  ['the clock was ahead when somebody looked', { lookedMs: NOW_MS + 1, departed: {} }, true],
  ['an account departed that this configuration does not have', { lookedMs: NOW_MS, departed: { other: old } }, false],
  ['an account departed that this configuration has', { lookedMs: NOW_MS, departed: { work: old } }, true],
  ['an account departed that is only disabled', { lookedMs: NOW_MS, departed: { resting: old } }, true],
  [
    'a destination departed that this configuration does not have',
    { lookedMs: NOW_MS, departed: {}, destinations: { other: old } },
    false,
  ],
  [
    'a destination departed that this configuration has',
    { lookedMs: NOW_MS, departed: {}, destinations: { out: old } },
    true,
  ],
  ['what was noted makes no sense', { lookedMs: 'soon' }, true],
])('whether tidying is due where %s', async (_, memo, isDue) => {
  const text = memo === null ? null : JSON.stringify(memo)
  expect(await isTidyDue(configuration, { memo: () => Promise.resolve(text) }, NOW_MS)).toBe(isDue)
})

test('a ledger that cannot be read is left to what tells why', async () => {
  const failing = { memo: () => Promise.reject(new Error('busy')) }
  expect(await isTidyDue(configuration, failing, NOW_MS)).toBe(true)
})
