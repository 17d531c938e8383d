// A pause is never forgotten: whoever is told of problems is told of one that lasts for over a day, and of its end. Until then
// nothing is told of what is paused, and nothing is said to work again.
import { expect, test } from 'vitest'
import { claimed, observed, stateOf, textOf } from '../../../src/daemon/notify/outbox.ts'
import { troublesOf } from '../../../src/daemon/notify/troubles.ts'
import { wordsOf } from '../../../src/daemon/notify/words.ts'
import type { Status } from '../../../src/status/status.ts'
import { failing, HOUR, NOW, pauseOf, record, resting, status, UNREACHABLE } from '../../status/scene.ts'

/** Looks one after the other, each with what is told then. */
function told(looks: readonly ((nowMs: number) => Status)[], everyMs: number): readonly string[] {
  let memo: string | null = null
  return looks.flatMap((statusAt, at) => {
    const nowMs = NOW + at * everyMs
    const seen = {
      entries: [{ mark: 'one', on: ['problem', 'recovery'] as const }],
      troubles: troublesOf(statusAt(nowMs), 6 * HOUR),
      happened: [],
      isConfigured: () => true,
      newId: () => String(at),
      nowMs,
    }
    const { state, notices } = claimed(observed(stateOf(memo), seen), nowMs)
    memo = textOf({ ...state, outbox: [] })
    return notices.map((notice) => `${at * (everyMs / HOUR)} h: ${wordsOf(notice, 'nas').text.split('\n', 1)[0] ?? ''}`)
  })
}

const paused = (nowMs: number): Status =>
  status({ nowMs, records: [record('work')], pauses: [pauseOf('account', 'work', { sinceMs: NOW })] })
const resumed = (nowMs: number): Status => status({ nowMs, records: [record('work')] })

test('a pause of an account is told after a day, once, and when it is over', () => {
  expect(told([paused, paused, paused, paused, resumed, resumed], 12 * HOUR)).toEqual([
    expect.stringMatching(
      /^24 h: work: work is paused \(by ada@nas, [^)]+\): popfetch resume work ends it \(since \S+\)$/,
    ),
    '48 h: work: is no longer paused',
  ])
})

test('one that ends earlier is not told', () => {
  expect(told([paused, paused, resumed], 11 * HOUR)).toEqual([])
})

test('a failure that was told is neither told again nor said to be over while the account is paused', () => {
  const fails = (nowMs: number): Status =>
    status({ nowMs, records: [failing('work', UNREACHABLE, { facts: { failingSince: String(NOW - 7 * HOUR) } })] })
  const failsPaused = (nowMs: number): Status =>
    status({ nowMs, records: [failing('work', UNREACHABLE)], pauses: [pauseOf('account', 'work', { sinceMs: nowMs })] })
  expect(told([fails, failsPaused, failsPaused, fails, resumed], HOUR)).toEqual([
    expect.stringMatching(/^0 h: work: connecting: no route/),
    '4 h: work: works again',
  ])
})

test('a paused destination is no problem of its own', () => {
  const rests = (nowMs: number): Status =>
    status({
      nowMs,
      records: [record('work')],
      destinations: [resting('forward', { sinceMs: NOW - 20 * HOUR })],
      pauses: [pauseOf('destination', 'forward', { sinceMs: NOW })],
    })
  expect(told([rests, rests], HOUR)).toEqual([])
})
