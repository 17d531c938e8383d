import { describe, expect, test } from 'vitest'
import { toldAfter, troublesOf, worthTelling } from '../../../../src/cli/commands/poll/quiet.ts'
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
const deferred = accountReport({ outcome: 'partial', deferred: 2, deferredThemselves: 2 })

/** Polls in which these destinations kept mail back. */
function keptBy(...names: readonly string[]) {
  const troubles = names.map((destination) => ({
    destination,
    recipient: '',
    error: { code: 'ERR_DELIVERY', message: `${destination} is down`, retry: 'soon' as const, exit: 75 },
  }))
  return accountReport({ outcome: 'failed', deferred: 1, error: troubles[0]?.error ?? null, troubles })
}

/** Polls with these reports, one every five minutes; gives the numbers of those that were told. */
function toldOf(reports: readonly (typeof fine)[], everyMs = 5 * MINUTE_MS): number[] {
  let told: Told | null = null
  const said: number[] = []
  reports.forEach((report, i) => {
    const nowMs = 1e12 + i * everyMs
    if (worthTelling(told, troublesOf(report), nowMs).length > 0) said.push(i)
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
    expect(toldOf([deferred, { ...deferred, deferred: 9, deferredThemselves: 9 }, fine, deferred])).toEqual([0, 3])
  })

  test('refused messages alone are no lasting failure', () => {
    expect(troublesOf(accountReport({ outcome: 'partial', refused: 1 }))).toEqual([])
  })

  test('another destination with the same exit code is another trouble, told when it begins', () => {
    expect(toldOf([keptBy('a'), keptBy('a', 'b'), keptBy('a', 'b'), keptBy('b'), keptBy('b', 'a')])).toEqual([0, 1, 4])
    const [told, now] = [toldAfter(null, keptBy('a'), 1e12), troublesOf(keptBy('a', 'b'))]
    expect(worthTelling(told, now, 1e12 + 1)).toEqual(now.slice(1))
  })

  test('a destination beside a server that is down is another trouble', () => {
    expect(toldOf([down, keptBy('a'), down])).toEqual([0, 1, 2])
    expect(toldOf([down, { ...down, troubles: keptBy('a').troubles }, down])).toEqual([0, 1])
  })

  test('messages that wait for their own sake are told beside a destination’s trouble', () => {
    expect(toldOf([keptBy('a'), { ...keptBy('a'), deferredThemselves: 1 }, keptBy('a')])).toEqual([0, 1])
  })

  test('what is deferred is not told again behind a destination’s rest that hid it', () => {
    const hidden = { ...keptBy('a'), deferred: 2 }
    expect(toldOf([deferred, hidden, deferred, fine, deferred])).toEqual([0, 1, 4])
    expect(toldOf([{ ...down, deferredThemselves: 2 }, { ...down, outcome: 'paused' }, deferred])).toEqual([0])
  })

  test('a destination’s trouble is not told again behind a poll that could not see it', () => {
    const atRest = { ...keptBy('first'), outcome: 'paused' } as const
    expect(toldOf([keptBy('first'), keptBy('next'), atRest, keptBy('next'), fine, keptBy('next')])).toEqual([
      0, 1, 2, 5,
    ])
    expect(toldOf([keptBy('a'), down, keptBy('a'), fine, keptBy('a')])).toEqual([0, 1, 4])
    expect(toldOf([keptBy('a'), { ...down, delivered: 1 }, keptBy('a')])).toEqual([0, 1, 2])
  })

  test('deletions that were tried and failed are told once', () => {
    const kept = accountReport({ outcome: 'partial', undeleted: 3 })
    expect(toldOf([kept, kept, fine, kept])).toEqual([0, 3])
    expect(troublesOf(accountReport({ undeleted: 3 }))).toEqual([])
  })

  test('all troubles that last are told together once a day, however they began', () => {
    const reports = Array.from({ length: 49 }, (_, hour) => (hour > 5 ? keptBy('a', 'b') : keptBy('a')))
    expect(toldOf(reports, HOUR_MS)).toEqual([0, 6, 23, 46])
  })

  test('a pause for the server’s sake neither tells a destination’s trouble again nor forgets it', () => {
    const paused = { ...keptBy('a'), outcome: 'paused', troubles: [] } as const
    expect(toldOf([keptBy('a'), paused, keptBy('a')]).filter((at) => at !== 1)).toEqual([0])
    expect(toldAfter({ state: 'x', atMs: 1 }, paused, 2)).toEqual({ state: 'x', atMs: 1 })
    expect(toldOf([deferred, accountReport({ outcome: 'paused' }), deferred])).toEqual([0])
  })

  test('what is remembered is short, whatever destinations are called and however many there are', () => {
    const many = Array.from({ length: 300 }, (_, at) => `${'name'.repeat(20)}${at}`)
    expect(toldAfter(null, keptBy(...many), 1e12)?.state.length).toBeLessThanOrEqual(400)
  })

  test('a clock that was set back does not silence a failure', () => {
    expect(worthTelling({ state: 'exit 75', atMs: 2e12 }, ['exit 75'], 1e12)).toEqual(['exit 75'])
  })
})

test('what is remembered does not change while nothing is told', () => {
  const told = { state: 'exit 75', atMs: 1e12 }
  expect(toldAfter(told, down, 1e12 + HOUR_MS)).toBe(told)
})
