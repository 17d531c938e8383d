import { describe, expect, test } from 'vitest'
import { PopfetchError } from '../../src/errors.ts'
import type { AccountHealth } from '../../src/ledger/ledger.ts'
import { isPaused, nextHealth, type PollEnd, secretMark } from '../../src/poll/backoff.ts'

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

function end(facts: Partial<PollEnd>): PollEnd {
  return { error: null, secretMark: 7, signedInMs: null, loginDelaySeconds: null, ...facts }
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

  test('counts anew after another secret was tried, and forgets after a success', () => {
    expect(nextHealth(afterRefusals(5), end({ error: refused, secretMark: 8 }), NOW).refusals).toBe(1)
    expect(nextHealth(afterRefusals(5), end({}), NOW)).toMatchObject({ refusals: 0, failures: 0, pausedUntilMs: 0 })
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

  test('pauses as long as a busy server asks for (P055, P059)', () => {
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
