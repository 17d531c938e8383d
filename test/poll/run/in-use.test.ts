// What is in use is no garbage, though V8 counts it in the same way. V8 is played, so that nothing depends on when it collects.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Batch } from '../../../src/poll/lane/batch.ts'
import { collectGarbageAfter, useOutside } from '../../../src/poll/run/garbage.ts'
import { takeProcess } from '../../../src/poll/run/own-process.ts'

const MEBIBYTE = 1 << 20

const v8 = vi.hoisted(() => ({ outsideBytes: 0, collections: [] as string[] }))
vi.mock('node:v8', () => ({
  getHeapSpaceStatistics: () => [],
  getHeapStatistics: () => ({ external_memory: v8.outsideBytes }),
  setFlagsFromString: () => {},
}))
vi.mock('node:vm', () => ({
  runInNewContext:
    () =>
    ({ type }: { type: string }) =>
      v8.collections.push(type),
}))

beforeEach(takeProcess)
afterEach(() => {
  v8.collections.length = 0
})

/** What is collected while so much comes. */
function whileCome(mebibytes: number): readonly string[] {
  v8.collections.length = 0
  for (let count = 0; count < mebibytes; count++) collectGarbageAfter(MEBIBYTE)
  return v8.collections.slice()
}

test('memory that is in use asks for no collection, and does again when it is given back', () => {
  v8.outsideBytes = 20 * MEBIBYTE
  expect(whileCome(8)).toContain('major')
  useOutside(16 * MEBIBYTE)
  expect(whileCome(8)).toEqual([])
  useOutside(-16 * MEBIBYTE)
  expect(whileCome(8)).toContain('major')
})

test('what many lanes read into is in use until they end', () => {
  v8.outsideBytes = 16 * MEBIBYTE
  const batches = Array.from({ length: 64 }, () => new Batch(null, MEBIBYTE / 4))
  const memories = batches.map(({ memory }) => memory)
  expect(whileCome(8)).toEqual([])
  for (const batch of batches) batch.leave()
  expect(whileCome(8)).toContain('major')
  // It need not be looked for.
  expect(memories.every(({ length }) => length === 0)).toBe(true)
})

test('the largest memory is kept for the next lane, up to four, and the rest is given back', () => {
  const largest = 768 << 10
  const batches = Array.from({ length: 6 }, () => new Batch(null, largest))
  const memories = batches.map(({ memory }) => memory)
  for (const batch of batches) batch.leave()
  expect(memories.map(({ length }) => length)).toEqual([largest, largest, largest, largest, 0, 0])
  expect(memories).toContain(new Batch(null, largest).memory)
})
