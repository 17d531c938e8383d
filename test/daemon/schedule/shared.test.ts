// Several processes that plan the same accounts by one ledger, against a clock of the test's own. The ledger is as simple as can be:
// who has an account, and when it is due.
import { describe, expect, test } from 'vitest'
import type { Unclaimed } from '../../../src/poll/poller.ts'
import { accountReport } from '../../cli/reports.ts'
import { account, FakeClock, held, healthy, MINUTE, START_MS, tick, World } from '../fake-time.ts'

/** Processes on one clock, and what their ledger knows. */
class Machines implements AsyncDisposable {
  readonly clock = new FakeClock()
  readonly worlds: readonly World[]
  readonly dueMs = new Map<string, number>()
  readonly holders = new Map<string, World>()
  /** When polls began, by account. */
  readonly polls = new Map<string, number[]>()

  constructor(count: number) {
    this.worlds = Array.from({ length: count }, (_, at) => this.#world(at))
  }

  #world(at: number): World {
    const world = new World(this.clock)
    world.isAlone = false
    let draws = at
    world.random = () => (draws = (draws * 7 + 3) % 101) / 101
    world.claim = (name, dueWithinMs) => this.#claim(name, dueWithinMs, world)
    world.poll = async (name) => {
      this.polls.set(name, [...(this.polls.get(name) ?? []), this.clock.elapsedMs() - 1000])
      await tick()
      this.holders.delete(name)
      return accountReport({ account: name })
    }
    world.told = (name, dueAgainMs) => void this.dueMs.set(name, this.clock.nowMs() + dueAgainMs)
    return world
  }

  #claim(name: string, dueWithinMs: number | null, world: World): Unclaimed | null {
    const dueInMs = (this.dueMs.get(name) ?? 0) - this.clock.nowMs()
    if (this.holders.has(name)) return { lease: null, why: 'held' }
    if (dueWithinMs !== null && dueInMs > 0 && dueInMs <= dueWithinMs) return { lease: null, why: 'early', dueInMs }
    this.holders.set(name, world)
    return null
  }

  async schedule(...names: readonly string[]): Promise<void> {
    for (const { scheduler } of this.worlds) await scheduler.schedule(names.map((name) => account(name)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const world of this.worlds) await world[Symbol.asyncDispose]()
  }
}

/** The times between these. */
function gaps(times: readonly number[] = []): readonly number[] {
  return times.slice(1).map((at, index) => at - (times[index] ?? 0))
}

const NAMES = Array.from({ length: 60 }, (_, at) => `account-${at}`)

describe('processes that share a ledger', () => {
  test('poll each account at its interval, counted over all, and each of them polls its part', async () => {
    await using machines = new Machines(3)
    await machines.schedule(...NAMES)
    await machines.clock.pass(61 * MINUTE)
    for (const name of NAMES) {
      const waits = gaps(machines.polls.get(name))
      expect(waits.length).toBeGreaterThanOrEqual(11)
      for (const wait of waits) {
        expect(wait).toBeGreaterThanOrEqual(4.5 * MINUTE)
        expect(wait).toBeLessThanOrEqual(5.5 * MINUTE + 1000)
      }
    }
    for (const { begun } of machines.worlds) expect(begun.length).toBeGreaterThan((60 * 12) / 3 / 2)
  })

  test('do without one that is gone or stands still, and let it have its part again', async () => {
    await using machines = new Machines(3)
    await machines.schedule(...NAMES)
    await machines.clock.pass(10 * MINUTE)
    const [first] = machines.worlds
    // A process that stands still claims nothing.
    if (first !== undefined) first.claim = () => ({ lease: null, why: 'held' })
    await machines.clock.pass(30 * MINUTE)
    for (const name of NAMES) expect(Math.max(...gaps(machines.polls.get(name)))).toBeLessThan(5.5 * MINUTE + 1000)
  })

  test('ask again soon for an account that another one has, for it may be gone', async () => {
    await using machines = new Machines(2)
    const [one, two] = machines.worlds
    const dead = held()
    if (one !== undefined) one.poll = () => dead.poll
    if (two !== undefined) await two.scheduler.schedule([])
    await one?.scheduler.schedule([account('work')])
    await machines.clock.pass(20_000)
    await two?.scheduler.schedule([account('work')])
    await machines.clock.pass(60_000)
    expect(two?.begun).toEqual([])
    // Its lease is free: it died.
    machines.holders.delete('work')
    await machines.clock.pass(8000)
    expect(two?.begun).toHaveLength(1)
    dead.end()
  })

  test('a process that starts beside others polls nothing that is not due, one that is alone polls everything soon', async () => {
    await using world = new World()
    world.claim = (_, dueWithinMs) => (dueWithinMs === null ? null : { lease: null, why: 'early', dueInMs: 3 * MINUTE })
    world.isAlone = false
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    expect(world.begun).toEqual([])
    world.isAlone = true
    await world.scheduler.schedule([])
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(20_000)
    expect(world.begun).toHaveLength(1)
  })

  test('who asks for an account that another process has gets its poll once that is over, or is told after a while that it is busy', async () => {
    await using world = new World()
    world.isAlone = false
    let isHeld = true
    world.claim = () => (isHeld ? { lease: null, why: 'held' } : null)
    await world.scheduler.schedule([account('work')])
    const [first] = world.scheduler.wake(['work'], true)
    await world.clock.pass(5000)
    isHeld = false
    await world.clock.pass(3000)
    expect((await first)?.outcome).toBe('ok')
    isHeld = true
    const [second] = world.scheduler.wake(['work'], true)
    await world.clock.pass(60_000)
    expect((await second)?.outcome).toBe('busy')
  })

  test('one is woken through another: who claims the account first polls it as a person asked', async () => {
    await using world = new World()
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    world.begun.length = 0
    world.woken.add('work')
    world.scheduler.woken(['work', 'unknown'])
    await world.clock.pass(100)
    expect(world.begun).toMatchObject([{ account: 'work', eager: true }])
  })

  test('a wake that comes while the account is polled is answered as soon as that poll is over', async () => {
    await using world = new World()
    const slow = held()
    world.poll = () => slow.poll
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    world.woken.add('work')
    world.scheduler.woken(['work'])
    await world.clock.pass(MINUTE)
    expect(world.begun).toMatchObject([{ eager: false }])
    slow.end()
    await tick()
    await world.clock.pass(100)
    expect(world.begun).toMatchObject([{ eager: false }, { eager: true }])
  })

  test('one that is heard of only after its account was claimed is answered once', async () => {
    await using world = new World()
    const place = Promise.withResolvers<void>()
    world.place = () => place.promise
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(MINUTE)
    world.woken.add('work')
    world.scheduler.woken(['work'])
    place.resolve()
    await world.clock.pass(MINUTE)
    expect(world.begun).toMatchObject([{ eager: true }])
  })

  test('one that comes while the account is asked for, which is too early still, is answered at once', async () => {
    await using world = new World()
    world.isAlone = false
    let isDue = false
    world.claim = () => {
      if (isDue) return null
      world.scheduler.woken(['work'])
      world.woken.add('work')
      isDue = true
      return { lease: null, why: 'early', dueInMs: 60 * MINUTE }
    }
    await world.scheduler.schedule([account('work')])
    await world.clock.pass(20_000)
    expect(world.begun).toMatchObject([{ eager: true }])
  })

  test('an interval that adapts goes on from that of the process that polled last', async () => {
    await using world = new World()
    world.health.set('work', { ...healthy, lastPollMs: START_MS - 8 * MINUTE })
    await world.scheduler.schedule([account('work', MINUTE, 20 * MINUTE)])
    await world.clock.pass(30_000)
    expect(Math.round((world.scheduled.get('work') ?? 0) / MINUTE)).toBe(12)
  })
})

describe('an account that waits its turn (6)', () => {
  /** Takes places for as long as a test says, and heeds no clock. */
  async function crowded(): Promise<World & { readonly free: () => void }> {
    const world = new World()
    const places = Promise.withResolvers<void>()
    const { poll } = world
    world.place = (name) => (name === 'first' ? Promise.resolve() : places.promise)
    world.poll = (name) => poll(name)
    await world.scheduler.schedule([account('first', 1000 * MINUTE), account('late', 1000 * MINUTE)])
    return Object.assign(world, { free: places.resolve })
  }

  test('is late, and not overdue, however long it waits, while others are polled', async () => {
    await using world = await crowded()
    const slow = held()
    world.poll = () => slow.poll
    await world.clock.pass(MINUTE)
    for (let minutes = 0; minutes < 120; minutes += 5) {
      await world.clock.pass(5 * MINUTE)
      world.scheduler.heard('first')
      expect(world.scheduler.plan).toMatchObject([
        { account: 'first', polling: true, overdue: false },
        { account: 'late', polling: false, overdue: false },
      ])
    }
    world.free()
    slow.end()
    await tick()
    expect(world.ended.map(({ lateMs }) => lateMs > 60 * MINUTE)).toContain(true)
  })

  test('is overdue where nothing is polled and it does not even ask for a place: the schedule hangs', async () => {
    await using world = await crowded()
    await world.clock.pass(MINUTE)
    expect(world.scheduler.plan).toMatchObject([{ overdue: false }, { account: 'late', overdue: false }])
    await world.clock.pass(16 * MINUTE)
    expect(world.scheduler.plan).toMatchObject([{ overdue: false }, { account: 'late', overdue: true }])
    world.free()
  })
})

test('ten thousand first polls are spread over 20 ms each, at most over their interval', async () => {
  await using world = new World()
  let draws = 0
  world.random = () => (draws++ % 1000) / 1000
  await world.scheduler.schedule(Array.from({ length: 10_000 }, (_, at) => account(`account-${at}`)))
  await world.clock.pass(100_000)
  expect(world.begun.length).toBeGreaterThan(4900)
  expect(world.begun.length).toBeLessThan(5100)
  await world.clock.pass(101_000)
  expect(world.begun).toHaveLength(10_000)
}, 60_000)
