// The machine slept, the process was stopped, or the clock was set: against a clock of the test's own.
import { describe, expect, test } from 'vitest'
import { accountReport } from '../../cli/reports.ts'
import { account, failing, held, MINUTE, START_MS, tick, World } from '../fake-time.ts'

const failure = { code: 'ERR_CONNECT', message: 'no route', retry: 'soon' } as const

describe('when time went on without the process (N006)', () => {
  test.each(['sleep', 'freeze'] as const)('%s: sessions are ended and everything is polled soon', async (how) => {
    await using world = new World()
    const dead = held()
    world.poll = (name) => (name === 'at-work' ? dead.poll : accountReport({ account: name }))
    await world.scheduler.schedule([account('at-work'), account('waiting', 60 * MINUTE)])
    await world.clock.pass(MINUTE)
    world.poll = (name) => accountReport({ account: name })
    world.clock[how](8 * 60 * MINUTE)
    world.begun.length = 0
    await world.clock.pass(15_000)
    expect(world.interrupted).toEqual([null])
    dead.end({ account: 'at-work', outcome: 'failed', error: { ...failure, code: 'ERR_ABORTED' } })
    await tick()
    await world.clock.pass(20_000)
    expect(world.begun.map((poll) => poll.account).toSorted()).toEqual(['at-work', 'waiting'])
  })

  test('a back-off is not cut short by it', async () => {
    await using world = new World()
    world.health.set('work', failing(7, { lastPollMs: START_MS }))
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    world.clock.sleep(10 * MINUTE)
    await world.clock.pass(10 * MINUTE)
    expect(world.begun).toEqual([])
    await world.clock.pass(40 * MINUTE)
    expect(world.begun).toHaveLength(1)
  })

  test('a little lateness is none of that', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    world.clock.freeze(20_000)
    world.clock.sleep(20_000)
    await world.clock.pass(MINUTE)
    expect(world.interrupted).toEqual([])
  })
})
