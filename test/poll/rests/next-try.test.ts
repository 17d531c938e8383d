import { expect, test } from 'vitest'
import type { Answer } from '../../../src/poll/rests/answer.ts'
import { dueAfterMs, holdReason } from '../../../src/poll/rests/next-try.ts'

const NOW = 1_800_000_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE

function answer(conclusion: Answer['conclusion'], more: Partial<Answer> = {}): Answer {
  const facts = {
    isUnknown: false,
    step: '',
    same: '',
    pauseMs: 0,
    counts: true,
    aboutUs: false,
    ofFolder: false,
    spam: false,
    exit: 75,
    code: 'ERR_DELIVERY',
    text: 'no',
  }
  return { conclusion, ...facts, ...more }
}

const paused = (given: Answer, tried: { refusals?: number; deferrals?: number; bytes?: number }): number => {
  const dueMs = dueAfterMs(given, { refusals: 0, deferrals: 0, bytes: 1000, ...tried }, NOW)
  return dueMs === 0 ? 0 : dueMs - NOW
}

test.each(['TEMP', 'CUT', 'LOST'] as const)(
  '%s: at the next poll, then after 5 minutes, doubling to 4 hours',
  (conclusion) => {
    const pauses = Array.from({ length: 9 }, (_, deferrals) => paused(answer(conclusion), { deferrals }) / MINUTE)
    expect(pauses).toEqual([0, 5, 10, 20, 40, 80, 160, 240, 240])
  },
)

test('a message over 1 MiB is never downloaded twice within a quarter of an hour (D120)', () => {
  const large = { bytes: 1024 * 1024 + 1 }
  const pauses = [0, 1, 2, 3].map((deferrals) => paused(answer('TEMP'), { ...large, deferrals }) / MINUTE)
  expect(pauses).toEqual([15, 15, 15, 20])
  expect(paused(answer('TEMP'), { bytes: 1024 * 1024 })).toBe(0)
})

test('a pause that is the message is obeyed, a day at most', () => {
  expect(paused(answer('TEMP', { pauseMs: 300_000 }), {})).toBe(300_000)
  expect(paused(answer('TEMP', { pauseMs: 60_000 }), { deferrals: 1 })).toBe(5 * MINUTE)
  expect(paused(answer('TEMP', { pauseMs: 90 * HOUR }), {})).toBe(24 * HOUR)
})

test.each(['BAD', 'FORM'] as const)('%s: after an hour, doubling to a day by refusals alone (D129)', (conclusion) => {
  const pauses = [0, 1, 2, 3, 4, 5, 30].map((refusals) => paused(answer(conclusion), { refusals, deferrals: 9 }) / HOUR)
  expect(pauses).toEqual([1, 2, 4, 8, 16, 24, 24])
})

test('what was refused for 30 days is held, not sooner', () => {
  let days = 0
  let refusals = 0
  while (holdReason(answer('BAD'), { refusals, deferrals: 0, bytes: 0 }) === null) {
    days += paused(answer('BAD'), { refusals }) / (24 * HOUR)
    refusals++
  }
  expect(days).toBeGreaterThanOrEqual(30)
  expect(days).toBeLessThan(31)
  // Whatever the pauses were: a person may have asked for some of them.
  expect(holdReason(answer('BAD'), { refusals, deferrals: 0, bytes: 0 })).toBe(`refused ${refusals + 1} times: no`)
})

test('spam is tried once more after a day, then held', () => {
  const spam = answer('BAD', { spam: true })
  const tried = (refusals: number) => ({ refusals, deferrals: 0, bytes: 0 })
  expect([holdReason(spam, tried(0)), paused(spam, {})]).toEqual([null, 24 * HOUR])
  expect(holdReason(spam, tried(1))).toContain('refused again')
})

test('what is kept back is held at once, and nothing else is', () => {
  const tried = { refusals: 100, deferrals: 100, bytes: 0 }
  expect(holdReason(answer('HELD'), { ...tried, refusals: 0 })).toBe('no')
  for (const conclusion of ['TEMP', 'CUT', 'LOST', 'BUSY', 'DOWN'] as const)
    expect(holdReason(answer(conclusion), tried)).toBeNull()
})
