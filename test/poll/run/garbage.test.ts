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
  const held: string[][] = []
  for (let at = 0; at < 100; at++) held.push(Array.from({ length: 10_000 }, (_, cell) => `${at} ${cell}`))
  const before = used()
  let most = 0
  for (let at = 0; at < 500; at++) {
    held[at % held.length] = Array.from({ length: 10_000 }, (_, cell) => `${at} ${cell}`)
    most = Math.max(most, used())
  }
  expect(held).toHaveLength(100)
  expect(most).toBeLessThan(2 * before)
})
