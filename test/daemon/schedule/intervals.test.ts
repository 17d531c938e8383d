// How often an account is polled, also by a process that was started again, against a clock of the test's own.
import { describe, expect, test } from 'vitest'
import { accountReport } from '../../cli/reports.ts'
import { account, failing, healthy, held, MINUTE, START_MS, tick, World } from '../fake-time.ts'

const failure = { code: 'ERR_CONNECT', message: 'no route', retry: 'soon' } as const

describe('an account is polled', () => {
  test('soon after the start, then at its interval, counted from the end of a poll', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(10 * MINUTE)
    // Half of the ten seconds of the start, then every five minutes.
    expect(world.minutes('work')).toEqual([5 / 60, 5 + 5 / 60])
  })

  test('never twice at once, however long a poll takes, and missed turns are not made up for (N007)', async () => {
    await using world = new World()
    const slow = held()
    world.poll = () => slow.poll
    await world.scheduler.schedule([account('work', MINUTE)])
    await world.clock.pass(10 * MINUTE)
    expect(world.begun).toHaveLength(1)
    slow.end()
    await tick()
    await world.clock.pass(MINUTE)
    expect(world.minutes('work')).toEqual([5 / 60, 11])
  })

  test('with up to a tenth more or less than its interval, so that accounts do not stay together (N008)', async () => {
    await using world = new World()
    world.random = 0
    await world.scheduler.schedule([account('early')])
    await world.clock.pass(6 * MINUTE)
    world.random = 1
    await world.scheduler.schedule([account('late')])
    await world.clock.pass(6 * MINUTE)
    expect(world.minutes('early')).toEqual([0, 4.5])
    expect(world.minutes('late')).toEqual([6 + 20 / 120, 11 + 80 / 120])
  })

  test('faster after mail came and slower while none does, when its interval adapts', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('work', MINUTE, 4 * MINUTE)])
    await world.clock.pass(14 * MINUTE)
    const waits = (times: number[]): number[] =>
      times.slice(1).map((at, index) => Math.round((at - times[index]!) * 10) / 10)
    expect(waits(world.minutes('work'))).toEqual([1.5, 2.3, 3.4, 4])
    world.poll = (name) => accountReport({ account: name, new: 1, delivered: 1 })
    await world.clock.pass(5 * MINUTE)
    expect(waits(world.minutes('work')).slice(4)).toEqual([4, 1, 1, 1])
  })

  test('a minute after another popfetch was at it', async () => {
    await using world = new World()
    world.poll = (name) => accountReport({ account: name, outcome: 'busy' })
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(3 * MINUTE)
    expect(world.minutes('work')).toEqual([5 / 60, 1 + 5 / 60, 2 + 5 / 60])
  })

  test('later and later while its server fails, and never by a timer of more than 15 seconds (S033)', async () => {
    await using world = new World()
    world.poll = (name) => {
      world.health.set(name, failing((world.health.get(name)?.failures ?? 0) + 1))
      return accountReport({ account: name, outcome: 'failed', error: failure })
    }
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(64 * MINUTE)
    expect(world.minutes('work').map(Math.floor)).toEqual([0, 1, 3, 7, 15, 31, 63])
    expect(world.clock.longestMs).toBeLessThanOrEqual(15_000)
  })

  test('not sooner than a server asked for, whatever the jitter', async () => {
    await using world = new World()
    world.random = 0
    world.health.set('work', { ...healthy, pausedUntilMs: START_MS + 30 * MINUTE })
    await world.scheduler.schedule([account('work')])
    world.poll = (name) => {
      world.health.set('work', { ...healthy, pausedUntilMs: world.clock.nowMs() + 30 * MINUTE })
      return accountReport({ account: name })
    }
    await world.clock.pass(62 * MINUTE)
    const [first = 0, second = 0, ...more] = world.minutes('work')
    expect([first > 30, second - first >= 30, more]).toEqual([true, true, []])
  })
})

describe('a process that is started again', () => {
  test('goes on with the back-off of the one before (N009)', async () => {
    await using world = new World()
    world.health.set('work', failing(6, { lastPollMs: START_MS - 10 * MINUTE }))
    await world.scheduler.schedule([account('work'), account('home')])
    await world.clock.pass(23 * MINUTE)
    // 32 minutes after its sixth failure, of which 10 have passed.
    expect(world.minutes('work')).toEqual([22])
    expect(world.minutes('home')[0]).toBe(5 / 60)
  })

  test('does not try a refused password again and again (N009)', async () => {
    const refused = { code: 'ERR_AUTH', message: '-ERR no', retry: 'later' } as const
    const health = failing(1, { refusals: 1, error: refused })
    const begun: number[] = []
    for (let starts = 0; starts < 50; starts++) {
      await using world = new World()
      world.health.set('work', health)
      await world.scheduler.schedule([account('work')])
      await world.clock.pass(4 * MINUTE)
      begun.push(world.begun.length)
    }
    expect(new Set(begun)).toEqual(new Set([0]))
  })

  test('does not wait for years because the clock was set back', async () => {
    await using world = new World()
    world.health.set('work', failing(1, { lastPollMs: START_MS + 1e12 }))
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(1.5 * MINUTE)
    expect(world.begun).toHaveLength(1)
  })
})
