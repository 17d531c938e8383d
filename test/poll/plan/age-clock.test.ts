// A clock that was behind and is set right ages nothing by years (S040); polls that are simply seldom still age.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ageClock, type Checkpoints, clockFacts, jumpsOf, oldUpTo } from '../../../src/poll/plan/age-clock.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 10, 24)

/** What is remembered after polls at these times. */
function after(...polls: readonly number[]): Checkpoints {
  let kept: Checkpoints = { lastMs: null, beforeMs: null }
  for (const atMs of polls) kept = ageClock(kept, atMs).checkpoints
  return kept
}

describe('a clock that was behind by years and is set right (S040)', () => {
  const seen = NOW - 2000 * DAY
  const polls = [seen - HOUR, seen, NOW, NOW + HOUR, NOW + 2 * HOUR]

  test('makes nothing 30 days old within hours', () => {
    const clock = ageClock(after(...polls), NOW + 3 * HOUR)
    expect(clock.agedMs).toBe(NOW + 2 * HOUR)
    expect(oldUpTo(clock, 30 * DAY)).toBeLessThan(seen - 20 * DAY)
  })

  test('lets what was seen before grow old in its time', () => {
    const months = Array.from({ length: 25 }, (_, day) => NOW + day * DAY)
    const clock = ageClock(after(...polls.slice(0, 3), ...months), NOW + 26 * DAY)
    expect(oldUpTo(clock, 30 * DAY)).toBe(seen)
    expect(oldUpTo(clock, 365 * DAY)).toBeLessThan(seen)
  })

  test('leaves what came since as it is', () => {
    const months = Array.from({ length: 60 }, (_, day) => NOW + day * DAY)
    expect(oldUpTo(ageClock(after(...polls, ...months), NOW + 60 * DAY), 30 * DAY)).toBe(NOW + 29 * DAY)
  })
})

test('whatever a clock was wrong by, nothing is old before its time, but for a week of each jump ahead (S040)', () => {
  const poll = fc.record({
    afterMs: fc.integer({ min: HOUR, max: 5 * DAY }),
    wrong: fc.constantFrom(0, 0, 3650, -3650),
  })
  fc.assert(
    fc.property(fc.array(poll, { minLength: 2, maxLength: 12 }), fc.nat(), (polls, pick) => {
      let [trueMs, kept, wrongBefore] = [NOW, after(), polls[0]?.wrong ?? 0]
      const seen = pick % (polls.length - 1)
      let [seenMs, firstSeenMs, jumps] = [0, 0, 0]
      for (const [at, { afterMs, wrong }] of polls.entries()) {
        trueMs += afterMs
        const nowMs = trueMs + wrong * DAY
        if (wrong > wrongBefore && at > seen) jumps++
        wrongBefore = wrong
        const clock = ageClock(kept, nowMs)
        const upToMs = oldUpTo(clock, 30 * DAY)
        kept = clock.checkpoints
        if (at === seen) [seenMs, firstSeenMs] = [trueMs, nowMs]
        else if (at > seen && upToMs !== null && firstSeenMs <= upToMs)
          expect(trueMs - seenMs).toBeGreaterThanOrEqual((30 - 7 * jumps) * DAY)
      }
    }),
    { numRuns: 2000 },
  )
})

test('polls that lie weeks apart still age, by a quarter of the age each', () => {
  const polls = Array.from({ length: 12 }, (_, at) => NOW + at * 10 * DAY)
  const clock = ageClock(after(...polls), NOW + 120 * DAY)
  const old = oldUpTo(clock, 28 * DAY) ?? 0
  expect(old).toBeGreaterThan(NOW)
  expect(old).toBeLessThan(NOW + 90 * DAY)
})

test('jumps beyond a number are taken together, and count less, never more', () => {
  const polls = Array.from({ length: 60 }, (_, at) => NOW + at * 10 * DAY)
  const kept = after(...polls)
  expect(kept.jumps).toHaveLength(16)
  const { clockJumps } = clockFacts({ agedMs: null, checkpoints: kept, isNew: false })
  expect(jumpsOf(clockJumps ?? undefined)).toEqual(kept.jumps)
  expect(oldUpTo(ageClock(kept, NOW + 600 * DAY), 365 * DAY)).toBeLessThan(NOW)
})
