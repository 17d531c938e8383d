import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AnswerClock, type ClockKind } from '../../../src/pop3/wire/answer-clock.ts'

const LIMIT_MS = 60_000

let expired: number[]
let clock: AnswerClock

beforeEach(() => {
  vi.useFakeTimers()
  expired = []
  clock = new AnswerClock(LIMIT_MS, (waitedMs) => expired.push(Math.round(waitedMs / 1000)))
})

afterEach(() => {
  clock.stop()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** Bytes every so often, until the clock runs out or the time is over. */
function drip(everyMs: number, bytes: number, totalMs: number): void {
  for (let at = 0; at < totalMs && expired.length === 0; at += everyMs) {
    vi.advanceTimersByTime(everyMs)
    clock.progress(bytes)
  }
}

describe('an answer of one line', () => {
  it.each<ClockKind>(['step', 'sasl'])('must be complete within the limit: %s', (kind) => {
    clock.start(kind)
    vi.advanceTimersByTime(LIMIT_MS - 1)
    expect(expired).toEqual([])
    vi.advanceTimersByTime(10)
    expect(expired).toEqual([60])
  })

  it('must be so although bytes drip in (P025)', () => {
    clock.start('step')
    drip(1000, 1, 2 * LIMIT_MS)
    expect(expired).toEqual([60])
  })

  it('has the whole limit, whatever came before it', () => {
    clock.start('step')
    vi.advanceTimersByTime(50_000)
    clock.start('step')
    vi.advanceTimersByTime(59_000)
    expect(expired).toEqual([])
    vi.advanceTimersByTime(1_100)
    expect(expired).toEqual([60])
  })
})

describe('a message', () => {
  it('may take hours when it keeps a rate', () => {
    clock.start('message')
    drip(1000, 2048, 4 * 3_600_000)
    expect(expired).toEqual([])
  })

  it('ends after the limit without a byte, at its start and in the middle (P123)', () => {
    clock.start('message')
    drip(1000, 2048, 100_000)
    vi.advanceTimersByTime(LIMIT_MS + 10)
    expect(expired).toEqual([160])
  })

  it('that drips ends after five minutes (P123)', () => {
    clock.start('message')
    drip(30_000, 1, 3_600_000)
    expect(expired[0]).toBeGreaterThanOrEqual(300)
    expect(expired[0]).toBeLessThanOrEqual(360)
  })
})

describe('a listing', () => {
  it('may take ten times the limit to its first byte (P103)', () => {
    clock.start('listing')
    vi.advanceTimersByTime(10 * LIMIT_MS - 10)
    expect(expired).toEqual([])
    vi.advanceTimersByTime(20)
    expect(expired).toEqual([600])
  })

  it('must not be silent for longer than the limit afterwards', () => {
    clock.start('listing')
    vi.advanceTimersByTime(500_000)
    clock.progress(1_000_000)
    vi.advanceTimersByTime(LIMIT_MS + 10)
    expect(expired).toEqual([560])
  })
})

describe('the answer to QUIT', () => {
  it('may take ten times the limit (P136)', () => {
    clock.start('quit')
    vi.advanceTimersByTime(10 * LIMIT_MS - 10)
    expect(expired).toEqual([])
    vi.advanceTimersByTime(20)
    expect(expired).toEqual([600])
  })
})

describe('no answer', () => {
  it('is waited for when none is due, and a stopped clock leaves no timer', () => {
    clock.start('step')
    clock.start(null)
    vi.advanceTimersByTime(10 * LIMIT_MS)
    expect(expired).toEqual([])
    clock.start('step')
    clock.stop()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('time in which we do not read', () => {
  it('is ours, not the server’s (P144)', () => {
    clock.start('message')
    vi.advanceTimersByTime(50_000)
    clock.pause()
    vi.advanceTimersByTime(3_600_000)
    expect(expired).toEqual([])
    clock.resume()
    vi.advanceTimersByTime(LIMIT_MS - 10)
    expect(expired).toEqual([])
    vi.advanceTimersByTime(20)
    expect(expired).toHaveLength(1)
  })

  it('is counted from where an answer began, when that was meanwhile', () => {
    clock.start('message')
    clock.pause()
    vi.advanceTimersByTime(1_000_000)
    clock.start('step')
    vi.advanceTimersByTime(1_000_000)
    clock.resume()
    vi.advanceTimersByTime(LIMIT_MS + 10)
    expect(expired).toEqual([60])
  })

  it('is also that in which our own loop stood still (P156, S007)', () => {
    const now = process.hrtime.bigint.bind(process.hrtime)
    const stoodStillMs = vi.spyOn(process.hrtime, 'bigint')
    clock.start('step')
    // Seventy seconds pass before the timer, due after sixty, gets its turn, and then the socket its own.
    stoodStillMs.mockImplementation(() => now() + 10_000_000_000n)
    vi.advanceTimersByTime(LIMIT_MS + 10)
    expect(expired).toEqual([])
    vi.advanceTimersByTime(LIMIT_MS)
    expect(expired).toHaveLength(1)
  })
})
