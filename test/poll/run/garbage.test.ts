import { expect, test } from 'vitest'
import { collectGarbageAfter } from '../../../src/poll/run/garbage.ts'
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
