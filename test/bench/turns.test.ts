import { expect, test } from 'vitest'
import type { Contender } from './contender.ts'
import { takeTurns } from './turns.ts'

const usage = { seconds: 1, cpuSeconds: 1, peakBytes: 1, standstillMs: null, printed: '' }

const never = new AbortController().signal

function contender(name: string, said: string[], seconds = 1): Contender {
  return {
    name,
    prepare: async () => void said.push(`${name} prepares`),
    async run() {
      said.push(name)
      return { ...usage, seconds }
    },
    async [Symbol.asyncDispose]() {},
  }
}

test('all prepare; then each round has one run of each and begins with another contender', async () => {
  const said: string[] = []
  await takeTurns(
    ['a', 'b', 'c'].map((name) => contender(name, said)),
    4,
    never,
  )
  expect(said.join(' ')).toBe('a prepares b prepares c prepares a b c b c a c a b a b c')
})

test('one that takes long runs once', async () => {
  const rows = await takeTurns([contender('quick', []), contender('slow', [], 11)], 3, never)
  expect(rows.map(({ name, usages }) => [name, usages.length])).toEqual([
    ['quick', 3],
    ['slow', 1],
  ])
})

test('one that fails is out, its error is kept, and the others go on', async () => {
  const failing = { ...contender('failing', []), run: () => Promise.reject(new Error('4999 of 5000 messages arrived')) }
  const unready = { ...contender('unready', []), prepare: () => Promise.reject(new Error('no such program')) }
  const rows = await takeTurns([failing, unready, contender('good', [])], 2, never)
  expect(rows.map(({ usages, error }) => [usages.length, error])).toEqual([
    [0, '4999 of 5000 messages arrived'],
    [0, 'no such program'],
    [2, null],
  ])
})

test('nobody runs any more once the bench is stopped', async () => {
  const stop = new AbortController()
  const said: string[] = []
  const stopping = { ...contender('stopping', said), run: async () => (stop.abort(), usage) }
  await expect(takeTurns([stopping, contender('next', said)], 2, stop.signal)).rejects.toThrow('aborted')
  expect(said).toEqual(['stopping prepares', 'next prepares'])
})
