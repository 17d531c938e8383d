// The arithmetic of a `rate`: whoever sends, whatever the clock does, no stretch of time has more messages than it says.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRate, type Rate } from '../../../src/config/values/quantity.ts'
import type { ClockReading, Sent } from '../../../src/ledger/destination.ts'
import { countsNow, freeOf, nextFreeMs, withOneMore } from '../../../src/poll/rests/rate.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const START = Date.parse('2026-11-29T12:00:00Z')

/** A machine whose time goes on, whose clock can be set, and which can be started again. */
class Machine {
  nowMs = START
  upMs = HOUR
  boot = 'a'
  sent: Sent | null = null

  get clock(): ClockReading {
    const { nowMs, upMs, boot } = this
    return { nowMs, upMs, boot }
  }

  pass(ms: number): void {
    this.nowMs += ms
    this.upMs += ms
  }

  restart(boot: string, offMs: number): void {
    this.boot = boot
    this.nowMs += offMs
    this.upMs = 20_000
  }

  free(rates: readonly Rate[]): number {
    return freeOf(rates, countsNow(this.sent, this.clock), this.nowMs)
  }

  /** As many as may go, `most` at most. */
  send(rates: readonly Rate[], most = Infinity): number {
    let sent = 0
    for (; sent < most && this.free(rates) > 0; sent++)
      this.sent = withOneMore(countsNow(this.sent, this.clock), this.clock)
    return sent
  }

  /** When the next one may go, from now. */
  waitMs(rates: readonly Rate[]): number {
    return nextFreeMs(rates, countsNow(this.sent, this.clock), this.nowMs) - this.nowMs
  }
}

function rates(...texts: readonly string[]): readonly Rate[] {
  return texts.map((text) => parseRate(text) ?? { messages: 0, perMs: 0 })
}

describe('a rate as it is written', () => {
  test.each([
    ['30/m', { messages: 30, perMs: MINUTE }],
    ['200/h', { messages: 200, perMs: HOUR }],
    ['500/d', { messages: 500, perMs: DAY }],
    ['1/m', { messages: 1, perMs: MINUTE }],
  ])('%s', (text, rate) => {
    expect(parseRate(text)).toEqual(rate)
  })

  test.each(['0/m', '30', '30/s', '30/M', '30/min', '-1/m', '1.5/m', '/m', '30/ m', ' 30/m', '1e3/m', '9999999999/d'])(
    'is not %j',
    (text) => {
      expect(parseRate(text)).toBeNull()
    },
  )
})

describe('a rate', () => {
  test.each([
    ['5/m', 5, MINUTE],
    ['7/h', 7, HOUR],
    ['9/d', 9, DAY],
  ])('of %s lets %i through, and as many again when its time is over, not before', (text, messages, perMs) => {
    const machine = new Machine()
    expect(machine.send(rates(text))).toBe(messages)
    expect(machine.waitMs(rates(text))).toBe(perMs)
    machine.pass(perMs - 1)
    expect(machine.send(rates(text))).toBe(0)
    machine.pass(1)
    expect(machine.send(rates(text))).toBe(messages)
  })

  test('counts from each message, not from the hour on the clock', () => {
    const machine = new Machine()
    machine.send(rates('4/h'), 2)
    machine.pass(HOUR / 2)
    machine.send(rates('4/h'), 2)
    machine.pass(HOUR / 2)
    expect(machine.send(rates('4/h'))).toBe(2)
  })

  test('is kept to together with others: the strictest one decides', () => {
    const machine = new Machine()
    const both = rates('3/m', '5/d')
    expect(machine.send(both)).toBe(3)
    machine.pass(MINUTE)
    expect(machine.send(both)).toBe(2)
    expect(machine.waitMs(both)).toBe(DAY - MINUTE)
  })

  test('that was written only now knows what went before', () => {
    const machine = new Machine()
    machine.send(rates('100/d'), 40)
    expect(machine.free(rates('50/d'))).toBe(10)
    expect(machine.free(rates('30/d'))).toBeLessThanOrEqual(0)
  })

  test('is never exceeded in any stretch of time, and what is remembered of it stays small', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 * HOUR }), fc.integer({ min: 1, max: 20 })), {
      minLength: 1,
      maxLength: 60,
    })
    fc.assert(
      fc.property(steps, (all) => {
        const machine = new Machine()
        const limits = rates('6/m', '25/h', '90/d')
        const times: number[] = []
        for (const [ms, most] of all) {
          machine.pass(ms)
          const sent = machine.send(limits, most)
          times.push(...Array.from({ length: sent }, () => machine.nowMs))
        }
        for (const { messages, perMs } of limits)
          for (const at of times)
            expect(times.filter((each) => each > at - perMs && each <= at).length).toBeLessThanOrEqual(messages)
        expect(machine.sent?.counts.length).toBeLessThan(200)
      }),
    )
  })

  test('remembers ten thousand messages a day in less than 200 numbers', () => {
    const machine = new Machine()
    const limits = rates('100000/d')
    for (let at = 0; at < 10_000; at++) {
      machine.send(limits, 1)
      machine.pass(DAY / 10_000)
    }
    expect(machine.sent?.counts.length).toBeLessThan(200)
  })
})

describe('a clock that is set', () => {
  test.each([
    ['a day forward', DAY],
    ['ten years forward', 3650 * DAY],
    ['an hour back', -HOUR],
    ['ten years back', -3650 * DAY],
  ])('%s frees nothing, and closes nothing for longer', (_, jumpMs) => {
    const machine = new Machine()
    machine.send(rates('5/d'))
    machine.pass(HOUR)
    machine.nowMs += jumpMs
    expect(machine.send(rates('5/d'))).toBe(0)
    expect(machine.waitMs(rates('5/d'))).toBe(23 * HOUR)
    machine.pass(23 * HOUR)
    expect(machine.send(rates('5/d'))).toBe(5)
  })

  test('back while the machine was off closes nothing for longer than the time of the rate', () => {
    const machine = new Machine()
    machine.send(rates('5/d'))
    machine.restart('b', -365 * DAY)
    expect(machine.waitMs(rates('5/d'))).toBe(DAY)
  })

  test('is no matter where the machine slept or was off: that time counts', () => {
    const machine = new Machine()
    machine.send(rates('5/d'))
    machine.restart('b', DAY)
    expect(machine.send(rates('5/d'))).toBe(5)
  })

  test('is no matter on a machine that does not tell its starts apart: the time of day is believed', () => {
    const machine = new Machine()
    machine.boot = ''
    machine.send(rates('5/m'))
    machine.pass(MINUTE)
    expect(machine.send(rates('5/m'))).toBe(5)
  })
})
