import { expect, test } from 'vitest'
import { boundOld, collectGarbageAfter } from '../../../src/poll/run/garbage.ts'
import { takeProcess } from '../../../src/poll/run/own-process.ts'

test('buffers that nobody holds do not pile up while bytes come', () => {
  takeProcess()
  const outside = (): number => process.memoryUsage().arrayBuffers
  const before = outside()
  let most = 0
  for (let mebibyte = 0; mebibyte < 200; mebibyte++) {
    for (let chunk = 0; chunk < 16; chunk++) Buffer.allocUnsafeSlow(65_536)
    collectGarbageAfter(1 << 20)
    most = Math.max(most, outside() - before)
  }
  expect(most).toBeLessThan(24 << 20)
})

test('garbage does not grow to several times what lives, once that is bounded', () => {
  takeProcess()
  boundOld()
  const used = (): number => process.memoryUsage().heapUsed
  const atFirst = used()
  const held: string[][] = []
  const many = (at: number): string[] => Array.from({ length: 10_000 }, (_, cell) => `${at} ${cell}`)
  for (let at = 0; at < 300; at++) held.push(many(at))
  const lives = used() - atFirst
  let most = 0
  for (let at = 0; at < 1800; at++) {
    held[at % held.length] = many(at)
    most = Math.max(most, used() - atFirst)
  }
  expect(held).toHaveLength(300)
  // Unbounded, more than four times; bounded, twice, and a machine that is busy with others collects later than it wants to.
  expect(most).toBeLessThan(3.2 * lives)
})
