// What the scheduler does beside waiting: it wakes, takes over accounts, bears bugs, and ends. The clock is the test's own.
import { describe, expect, test } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import { accountReport } from '../../cli/reports.ts'
import { account, held, MINUTE, tick, World } from '../fake-time.ts'

const failure = { code: 'ERR_CONNECT', message: 'no route', retry: 'soon' } as const

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

  test('is answered once where the account cannot even be asked for: the ledger is gone', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    world.begun.length = 0
    let claims = 0
    world.claim = () => {
      claims++
      throw new PopfetchError('ERR_LEDGER', 'it is gone', { scope: 'process', retry: 'later' })
    }
    const [poll] = world.scheduler.wake(['work'], true)
    await world.clock.pass(1000)
    expect((await poll)?.outcome).toBe('failed')
    expect([claims, world.begun.length]).toEqual([1, 0])
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

  test('lets a poll that runs be the last of an account that is left out', async () => {
    await using world = new World()
    const slow = held()
    world.poll = () => slow.poll
    await world.scheduler.schedule([account('work', MINUTE)])
    await world.clock.pass(MINUTE)
    await world.scheduler.schedule([])
    slow.end()
    await world.clock.pass(10 * MINUTE)
    expect(world.begun).toHaveLength(1)
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
