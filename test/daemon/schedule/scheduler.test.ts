// When accounts are polled, against a clock of the test's own.
import { describe, expect, test } from 'vitest'
import type { PopfetchError } from '../../../src/errors.ts'
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

describe('wake', () => {
  test('polls at once, before others that wait, and gives the reports', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('work'), account('home')])
    await world.clock.pass(MINUTE)
    world.begun.length = 0
    const polls = world.scheduler.wake(['work'], true)
    await world.clock.pass(100)
    expect(await Promise.all(polls)).toMatchObject([{ account: 'work', outcome: 'ok' }])
    expect(world.begun).toMatchObject([{ account: 'work', eager: true, urgency: 'now' }])
  })

  test('polls once more what is being polled: it may have looked before the mail came', async () => {
    await using world = new World()
    const [first, second] = [held(), held()]
    world.poll = () => (world.begun.length === 1 ? first.poll : second.poll)
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    const [woken, too] = world.scheduler.wake(['work', 'work'], false)
    first.end({ listed: 1 })
    await tick()
    await world.clock.pass(100)
    second.end({ listed: 2 })
    expect((await woken)?.listed).toBe(2)
    expect((await too)?.listed).toBe(2)
    expect(world.begun).toHaveLength(2)
    expect(world.begun[1]).toMatchObject({ eager: false })
  })

  test('of an account that is not polled is refused', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('work')])
    const [poll] = world.scheduler.wake(['wrok'], true)
    await expect(poll).rejects.toMatchObject({ code: 'ERR_USAGE' })
  })
})

describe('another configuration', () => {
  test('begins what is new or changed soon, leaves the rest in its rhythm, polls no more what is gone', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('same'), account('changed'), account('gone')])
    await world.clock.pass(2 * MINUTE)
    await world.scheduler.schedule([account('same'), account('changed', MINUTE), account('new')])
    world.begun.length = 0
    await world.clock.pass(2 * MINUTE)
    expect(world.begun.map((poll) => poll.account).toSorted()).toEqual(['changed', 'changed', 'new'])
    await world.clock.pass(2 * MINUTE)
    expect(world.minutes('same')).toEqual([5 + 5 / 60])
    expect(world.minutes('gone')).toEqual([])
  })

  test('lets a poll that runs come to its end', async () => {
    await using world = new World()
    const slow = held()
    world.poll = () => slow.poll
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    await world.scheduler.schedule([account('work', MINUTE)])
    await world.clock.pass(5 * MINUTE)
    expect(world.begun).toHaveLength(1)
    expect(world.interrupted).toEqual([])
    slow.end()
    await tick()
    await world.clock.pass(MINUTE)
    expect(world.begun).toHaveLength(2)
  })

  test('tells whoever waits for an account that is gone', async () => {
    await using world = new World()
    const slow = held()
    world.poll = () => slow.poll
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    const [woken] = world.scheduler.wake(['work'], true)
    const refused = expect(woken).rejects.toMatchObject({ code: 'ERR_USAGE' })
    await world.scheduler.schedule([account('home')])
    await refused
    slow.end()
  })

  test('is not taken over when the ledger cannot be read', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('work')])
    world.broken = true
    await expect(world.scheduler.schedule([account('home')])).rejects.toThrow('broken')
    expect(world.scheduler.plan.map((planned) => planned.account)).toEqual(['work'])
  })
})

describe('a bug in one account', () => {
  test('is reported, tried again after a minute and then more, and keeps no other from its time (N005)', async () => {
    await using world = new World()
    world.poll = (name) => {
      if (name === 'bad') throw new TypeError('x is not a function')
      return accountReport({ account: name })
    }
    await world.scheduler.schedule([account('bad', 10_000), account('good', MINUTE)])
    await world.clock.pass(8 * MINUTE)
    expect(world.minutes('bad').map(Math.floor)).toEqual([0, 1, 3, 7])
    expect(world.minutes('good')).toHaveLength(8)
    const [ended] = world.ended.filter(({ account: { name } }) => name === 'bad')
    expect(ended).toMatchObject({ report: { outcome: 'failed', error: { code: 'ERR_BUG' } } })
    expect(ended?.thrown).toBeInstanceOf(TypeError)
  })

  test('that is thrown past its poll ends that poll', async () => {
    await using world = new World()
    const hanging = held()
    world.poll = () => hanging.poll
    await world.scheduler.schedule([account('bad', 10_000)])
    await world.clock.pass(MINUTE)
    const bug = new Error('in a listener')
    world.scheduler.thrown('bad', bug)
    expect(world.interrupted).toEqual(['bad'])
    hanging.end({ account: 'bad', outcome: 'failed', error: { ...failure, code: 'ERR_ABORTED' } })
    await tick()
    expect(world.ended[0]?.thrown).toBe(bug)
    await world.clock.pass(30_000)
    expect(world.begun).toHaveLength(1)
    world.poll = (name) => accountReport({ account: name })
    await world.clock.pass(MINUTE)
    expect(world.ended[1]).toMatchObject({ thrown: null, report: { outcome: 'ok' } })
  })
})

test('a poll of which nothing is heard for long is overdue, one that goes on is not (N035)', async () => {
  await using world = new World()
  const hanging = held()
  world.poll = () => hanging.poll
  await world.scheduler.schedule([account('work')])
  for (let minutes = 0; minutes < 60; minutes += 5) {
    await world.clock.pass(5 * MINUTE)
    world.scheduler.heard('work')
    expect(world.scheduler.plan).toEqual([{ account: 'work', polling: true, nextPollMs: null, overdue: false }])
  }
  await world.clock.pass(16 * MINUTE)
  expect(world.scheduler.plan[0]?.overdue).toBe(true)
  hanging.end()
  await tick()
  expect(world.scheduler.plan).toMatchObject([{ polling: false, overdue: false }])
})

test('the end begins nothing more, waits for what runs, and tells those who wait', async () => {
  const world = new World()
  const slow = held()
  world.poll = () => slow.poll
  await world.scheduler.schedule([account('work'), account('home', 60 * MINUTE)])
  await world.clock.pass(MINUTE)
  const refused = Promise.all(
    world.scheduler.wake(['work'], true).map((poll) => poll.catch((error: PopfetchError) => error.code)),
  )
  const end = world.scheduler[Symbol.asyncDispose]()
  let ended = false
  void end.then(() => (ended = true))
  expect(await refused).toEqual(['ERR_ABORTED'])
  await world.clock.pass(120 * MINUTE)
  expect([ended, world.begun.length]).toEqual([false, 2])
  slow.end()
  await end
})
