// What was cut off on this machine is looked for soon, whoever's turn it is, and not again and again.
import { expect, test } from 'vitest'
import { CutOff } from '../../../src/daemon/schedule/cut-off.ts'

const HOUR = 3_600_000

test('an account is polled for it at once, then at most once an hour; once it is settled, at once again', async () => {
  let [found, nowMs]: [readonly string[] | null, number] = [['a', 'b'], 5]
  const polled: string[][] = []
  const records = { cutOff: () => (found === null ? Promise.reject(new Error('away')) : Promise.resolve(found)) }
  const scheduler = { findCutOff: (names: readonly string[]) => void polled.push([...names]) }
  const cutOff = new CutOff({ records }, scheduler, { elapsedMs: () => nowMs })
  const look = async (): Promise<readonly string[]> => {
    await cutOff.look()
    return polled.splice(0).flat()
  }
  expect(await look()).toEqual(['a', 'b'])
  nowMs += HOUR - 1
  expect(await look()).toEqual([])
  found = ['a', 'c']
  expect(await look()).toEqual(['c'])
  nowMs += 1
  found = null
  expect(await look()).toEqual([])
  found = ['a', 'b', 'c']
  expect(await look()).toEqual(['a', 'b'])
})
