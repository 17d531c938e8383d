// Lanes of several accounts at once take turns, and what others want of the event loop goes between.
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Batch } from '../../../src/poll/lane/batch.ts'
import { Slices, slices } from '../../../src/poll/lane/slices.ts'
import { Scene, upTo } from '../scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.create()
  vi.stubEnv('POPFETCH_ROAD', 'lane')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await scene[Symbol.asyncDispose]()
})

test('one lane alone need not wait, and a second one makes both wait until it has ended', () => {
  const all = new Slices()
  const first = all.open()
  expect(all.isOne).toBe(true)
  const second = all.open()
  expect(all.isOne).toBe(false)
  second[Symbol.dispose]()
  expect(all.isOne).toBe(true)
  first[Symbol.dispose]()
})

test('each turn of the event loop is for one of those that wait; who has begun goes before who has not', async () => {
  const all = new Slices()
  const order: string[] = []
  const work = async (name: string, slicesOfIt: number): Promise<void> => {
    for (let slice = 0; slice < slicesOfIt; slice++) {
      await all.turn(slice > 0)
      order.push(name)
    }
  }
  void Promise.all([work('a', 3), work('b', 2), work('c', 1)])
  let most = 0
  for (let turns = 0; turns < 20; turns++) {
    const before = order.length
    await turn()
    most = Math.max(most, order.length - before)
  }
  expect([order.join(''), most]).toEqual(['aaabbc', 1])
})

/** How many messages were worked on in one turn of the event loop at most, in a poll of 60. */
async function mostAtOnce(): Promise<number> {
  scene.fill(60)
  let now = 0
  let most = 0
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called on the same object below
  const { work } = Batch.prototype
  vi.spyOn(Batch.prototype, 'work').mockImplementation(function (this: Batch, ...given) {
    if (now++ === 0) setImmediate(() => (now = 0))
    most = Math.max(most, now)
    work.apply(this, given)
  })
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 60 })
  expect(scene.subjects()).toEqual(upTo(60))
  return most
}

test('beside another lane, a few messages are worked on in each turn of the event loop', async () => {
  using _ = slices.open()
  const most = await mostAtOnce()
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(16)
})

test('a lane is one of those that are open until it ends', async () => {
  scene.fill(40)
  let isAlone: boolean | null = null
  scene.server.faults.onCommand = (verb) => {
    using _ = slices.open()
    if (verb === 'RETR') isAlone ??= slices.isOne
    return 'serve'
  }
  expect(await scene.poll()).toMatchObject({ delivered: 40 })
  expect(isAlone).toBe(false)
  using _ = slices.open()
  expect(slices.isOne).toBe(true)
})

test('the memory of a second batch is made only where one is needed', () => {
  const batch = new Batch(null, 1000)
  batch.leave()
  expect(batch.count).toBe(0)
  expect(batch.memory.length).toBe(1000)
  expect(batch.memory).toBe(batch.memory)
})
