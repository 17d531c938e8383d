// For which mailboxes a thread is made that works on the files. In a file of its own: it makes the process popfetch's.
import { afterEach, expect, test, vi } from 'vitest'
import { expectedHands } from '../../../src/deliver/disk/hands.ts'
import { foresee } from '../../../src/poll/full/foresee.ts'
import { takeProcess } from '../../../src/poll/run/own-process.ts'
import type { Configuration, DestinationConfig } from '../../../src/config/schema.ts'

afterEach(async () => {
  await expectedHands()?.[Symbol.asyncDispose]()
  vi.unstubAllEnvs()
})

function leadingTo(type: string): Pick<Configuration, 'destinations'> {
  return { destinations: new Map([['there', { type } as unknown as DestinationConfig]]) }
}

async function makesOne(listed: number, fresh: number, type = 'maildir'): Promise<boolean> {
  await foresee({ listed, new: fresh }, leadingTo(type))
  const made = expectedHands() !== null
  await expectedHands()?.[Symbol.asyncDispose]()
  return made
}

test('a program that embeds popfetch gets no thread for its files', async () => {
  vi.stubEnv('POPFETCH_ROAD', undefined)
  expect(await makesOne(20_000, 20_000)).toBe(false)
})

test('a thread for the files is made where many messages are new, the listing is not very long, and there is a Maildir', async () => {
  vi.stubEnv('POPFETCH_ROAD', undefined)
  takeProcess()
  expect(await makesOne(2000, 2000)).toBe(true)
  expect(await makesOne(2000, 1999)).toBe(false)
  expect(await makesOne(40_000, 40_000)).toBe(true)
  expect(await makesOne(40_001, 2000)).toBe(false)
  expect(await makesOne(2000, 2000, 'smtp')).toBe(false)
  vi.stubEnv('POPFETCH_ROAD', 'usual')
  expect(await makesOne(2000, 2000)).toBe(false)
})
