import { describe, expect, test } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import type { AccountHealth } from '../../../src/ledger/ledger.ts'
import { isPaused, nextHealth, type PollEnd, waitMs } from '../../../src/poll/account/backoff.ts'
import { secretMark } from '../../../src/poll/rests/secret-mark.ts'

const NOW = Date.UTC(2026, 10, 24)
const MINUTE = 60_000

const fresh: AccountHealth = {
  lastPollMs: null,
  lastSuccessMs: null,
  failures: 0,
  refusals: 0,
  secretMark: null,
  pausedUntilMs: 0,
  error: null,
}
const refused = new PopfetchError('ERR_AUTH', 'sign-in refused', { scope: 'account', retry: 'later' })

const well = { success: true, delivered: true, isRest: false, error: null }

function end(facts: Partial<PollEnd>): PollEnd {
  return { error: null, secretMark: 7, signedInMs: null, loginDelaySeconds: null, deliveries: well, ...facts }
}

function afterRefusals(count: number): AccountHealth {
  let health = fresh
  for (let poll = 0; poll < count; poll++) health = nextHealth(health, end({ error: refused }), NOW)
  return health
}

describe('back-off', () => {
  test('forgives two refused sign-ins and pauses from the third on: 15 minutes, doubling, a day at most (P052)', () => {
    const pauses = [1, 2, 3, 4, 5, 12, 40].map((count) => {
      const until = afterRefusals(count).pausedUntilMs
      return until === 0 ? 0 : (until - NOW) / MINUTE
    })
    expect(pauses).toEqual([0, 0, 15, 30, 60, 1440, 1440])
  })

  test('counts again after another secret was tried, and forgets after a success', () => {
    expect(nextHealth(afterRefusals(5), end({ error: refused, secretMark: 8 }), NOW).refusals).toBe(1)
    expect(nextHealth(afterRefusals(5), end({}), NOW)).toMatchObject({ refusals: 0, failures: 0, pausedUntilMs: 0 })
  })

  test('recovers unaided from throttling that looked like a bad password, the same password all along (P053)', () => {
    let [health, nowMs, tries] = [fresh, NOW, 0]
    for (const until = NOW + 6 * 60 * MINUTE; nowMs < until; nowMs += 5 * MINUTE) {
      if (isPaused(health, nowMs)) continue
      health = nextHealth(health, end({ error: refused }), nowMs)
      tries++
    }
    expect(tries).toBeLessThan(10)
    expect(health.pausedUntilMs - nowMs).toBeLessThanOrEqual(24 * 60 * MINUTE)
    health = nextHealth(health, end({}), health.pausedUntilMs)
    expect(health).toMatchObject({ refusals: 0, failures: 0, pausedUntilMs: 0, error: null })
  })

  test('of a sign-in that a person must look at first is an hour at least, from the first one on (P060)', () => {
    const guarded = new PopfetchError('ERR_AUTH', 'web login', {
      scope: 'account',
      retry: 'later',
      pauseMs: 60 * MINUTE,
    })
    let health = fresh
    for (const pause of [60, 60, 60, 60, 60, 120]) {
      health = nextHealth(health, end({ error: guarded }), NOW)
      expect(health.pausedUntilMs - NOW).toBe(pause * MINUTE)
    }
  })

  test('a network failure in between neither pauses nor forgets refusals', () => {
    const down = new PopfetchError('ERR_CONNECT', 'refused', { scope: 'account', retry: 'soon' })
    expect(nextHealth(afterRefusals(2), end({ error: down, secretMark: null }), NOW)).toMatchObject({
      refusals: 2,
      failures: 3,
      secretMark: 7,
      pausedUntilMs: 0,
    })
  })

  test('pauses as long as a busy server asks for (P055, P059, P153)', () => {
    const busy = new PopfetchError('ERR_POP3_REPLY', 'in use', { scope: 'account', retry: 'soon', pauseMs: 3 * MINUTE })
    expect(nextHealth(fresh, end({ error: busy }), NOW).pausedUntilMs).toBe(NOW + 3 * MINUTE)
  })

  test('obeys LOGIN-DELAY counted from the sign-in, with some slack for cron', () => {
    const health = nextHealth(fresh, end({ signedInMs: NOW - 5000, loginDelaySeconds: 300 }), NOW)
    expect(isPaused(health, NOW + 280_000)).toBe(true)
    expect(isPaused(health, NOW + 290_000)).toBe(false)
  })

  test('a pause that a set-back clock made endless does not count (S030)', () => {
    expect(isPaused({ ...fresh, pausedUntilMs: NOW + 400 * 24 * 60 * MINUTE }, NOW)).toBe(false)
  })

  test('the mark of a secret is 16 bits and depends on the salt', () => {
    expect(secretMark('a', 'secret')).toBeLessThan(65_536)
    expect(secretMark('a', 'secret')).not.toBe(secretMark('b', 'secret'))
  })
})

describe('the daemon waits', () => {
  const failed = (failures: number, retry: 'soon' | 'later'): AccountHealth => ({
    ...fresh,
    failures,
    error: { code: 'ERR_CONNECT', message: 'no route', retry },
  })

  test('its interval after a poll that went well', () => {
    expect(waitMs(fresh, 300_000, NOW)).toBe(300_000)
  })

  test('a minute after a server failed, doubling to an hour, whatever the interval (N008)', () => {
    const waits = [1, 2, 3, 6, 7, 50].map((count) => waitMs(failed(count, 'soon'), 5 * MINUTE, NOW) / MINUTE)
    expect(waits).toEqual([1, 2, 4, 32, 60, 60])
    expect(waitMs(failed(1, 'soon'), 10_000, NOW)).toBe(MINUTE)
    expect(waitMs(failed(30, 'soon'), 24 * 60 * MINUTE, NOW)).toBe(60 * MINUTE)
  })

  test('never less than its interval when only a person can mend it', () => {
    expect(waitMs(failed(1, 'later'), 5 * MINUTE, NOW)).toBe(5 * MINUTE)
    expect(waitMs(failed(7, 'later'), 5 * MINUTE, NOW)).toBe(60 * MINUTE)
  })

  test('for as long as LOGIN-DELAY says, not a moment less (P056)', () => {
    const health = nextHealth(fresh, end({ signedInMs: NOW, loginDelaySeconds: 900 }), NOW)
    expect(waitMs(health, 5 * MINUTE, NOW)).toBe(15 * MINUTE)
    expect(waitMs(health, 20 * MINUTE, NOW)).toBe(20 * MINUTE)
  })

  test('only its interval when a password is refused: it may have been changed, and the poll looks (N010)', () => {
    expect(waitMs(afterRefusals(12), 5 * MINUTE, NOW)).toBe(5 * MINUTE)
    expect(waitMs(afterRefusals(12), 1000, NOW)).toBe(MINUTE)
  })
})
