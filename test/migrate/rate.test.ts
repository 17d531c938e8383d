import { expect, test } from 'vitest'
import { Rate } from '../../src/migrate/rate.ts'
import { upTo } from '../poll/scene.ts'
import { Scene } from './scene.ts'

function rateAt(bytesPerSecond: number) {
  const clock = { nowMs: 0 }
  const stop = new AbortController()
  return { clock, stop, rate: new Rate(bytesPerSecond, () => clock.nowMs, stop.signal) }
}

test('a second that was not used up stays good, and no more than that', () => {
  const { clock, rate } = rateAt(1000)
  clock.nowMs = 60_000
  expect(rate.take(1000)).toBeUndefined()
  expect(rate.take(1)).toBeInstanceOf(Promise)
})

test('whoever takes more than there is waits for the rest, all together', async () => {
  const { rate, stop } = rateAt(1000)
  const waits = [rate.take(30_000), rate.take(30_000)].map((wait) => Promise.resolve(wait))
  let over = false
  void Promise.all(waits).then(() => (over = true))
  await new Promise((resolve) => setImmediate(resolve))
  expect(over).toBe(false)
  stop.abort()
  await Promise.all(waits)
})

test('nobody waits once it is to stop', async () => {
  const { rate, stop } = rateAt(1000)
  stop.abort()
  expect(rate.take(1e9)).toBeUndefined()
})

test('a migration that may read slowly only still moves everything', async () => {
  await using scene = await Scene.create()
  scene.fill(20)
  const report = await scene.migrate({ options: { maxBytesPerSecond: 20_000 } })
  expect(report).toMatchObject({ outcome: 'ok', verified: 20 })
  expect(scene.subjects()).toEqual(upTo(20))
})
