import { describe, expect, test } from 'vitest'
import { failureState, toldAfter, isWorthTelling } from '../../../../src/cli/commands/poll/quiet.ts'
import type { Told } from '../../../../src/ledger/ledger.ts'
import { accountReport } from '../../reports.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const down = accountReport({ outcome: 'failed', error: { code: 'ERR_CONNECT', message: 'no route', retry: 'soon' } })
const slow = accountReport({ outcome: 'failed', error: { code: 'ERR_TIMEOUT', message: 'too slow', retry: 'soon' } })
const refused = accountReport({ outcome: 'failed', error: { code: 'ERR_AUTH', message: 'wrong', retry: 'later' } })
const pausedRefused = { ...refused, outcome: 'paused' } as const
const fine = accountReport({ outcome: 'ok' })
const busy = accountReport({ outcome: 'busy' })
const deferred = accountReport({ outcome: 'partial', deferred: 2 })

/** Polls with these reports, one every five minutes; gives the numbers of those that were told. */
function toldOf(reports: readonly (typeof fine)[], everyMs = 5 * MINUTE_MS): number[] {
  let told: Told | null = null
  const said: number[] = []
  reports.forEach((report, i) => {
    const nowMs = 1e12 + i * everyMs
    if (isWorthTelling(told, failureState(report), nowMs)) said.push(i)
    told = toldAfter(told, report, nowMs)
  })
  return said
}

describe('without a terminal', () => {
  test('a failure that lasts is told when it begins and once a day', () => {
    expect(toldOf(Array.from({ length: 100 }, () => down))).toEqual([0])
    expect(
      toldOf(
        Array.from({ length: 49 }, () => down),
        HOUR_MS,
      ),
    ).toEqual([0, 23, 46])
  })

  test('a network that fails in several ways is one failure', () => {
    expect(toldOf([down, slow, down, slow])).toEqual([0])
  })

  test('another kind of failure is told', () => {
    expect(toldOf([down, refused, refused, down])).toEqual([0, 1, 3])
  })

  test('a failure is told again after all was well', () => {
    expect(toldOf([down, fine, down])).toEqual([0, 2])
  })

  test('a pause after a failure that was told is silent', () => {
    expect(toldOf([refused, pausedRefused, pausedRefused])).toEqual([0])
  })

  test('another popfetch at work neither is told nor changes what was', () => {
    expect(toldOf([down, busy, down])).toEqual([0])
  })

  test('deferred messages are one state, however many they are', () => {
    expect(toldOf([deferred, { ...deferred, deferred: 9 }, fine, deferred])).toEqual([0, 3])
  })

  test('refused messages alone are no lasting failure', () => {
    expect(failureState(accountReport({ outcome: 'partial', refused: 1 }))).toBeNull()
  })

  test('a clock that was set back does not silence a failure', () => {
    expect(isWorthTelling({ state: 'exit 75', atMs: 2e12 }, 'exit 75', 1e12)).toBe(true)
  })
})

test('what is remembered does not change while nothing is told', () => {
  const told = { state: 'exit 75', atMs: 1e12 }
  expect(toldAfter(told, down, 1e12 + HOUR_MS)).toBe(told)
})
