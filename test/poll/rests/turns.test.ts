// How many messages are offered at once to a destination that says no.
import { describe, expect, test } from 'vitest'
import { blankDestination } from '../../../src/ledger/destination.ts'
import type { RowEntry } from '../../../src/ledger/ledger.ts'
import { answersLeft } from '../../../src/poll/rests/rests.ts'
import { Turns } from '../../../src/poll/rests/turns.ts'
import { Scene } from '../scene.ts'
import { type Failure, StepServer } from '../answers/step-server.ts'

const QUIET = { heard() {}, silent() {} }

describe('of a hundred messages that wait for one place', () => {
  test.each<[Failure, number, number]>([
    ['421 4.3.2 closing', 1, 1],
    ['451 4.7.1 later', 1, 3],
    ['451 4.7.1 later', 4, 8],
    ['cut', 1, 2],
    ['taken, cut', 1, 2],
    ['554 5.7.1 policy', 1, 10],
    ['550 5.7.60 not allowed to send', 1, 3],
  ])(
    'that says "%s", with concurrency %d, are offered before it is left alone: %d (D116, D118)',
    async (what, concurrency, most) => {
      await using server = await StepServer.start({ lmtp: false, tls: false, signIn: false }, QUIET)
      await using scene = await Scene.create()
      const to = `host: 127.0.0.1, port: ${server.port}, to: bob@example.net`
      scene.destinations = [`next: { type: smtp, ${to}, concurrency: ${concurrency} }`]
      scene.deliver = 'next'
      scene.fill(100)
      server.failure = { step: 'dot', what }
      expect(await scene.poll({ eager: false })).toMatchObject({
        outcome: 'failed',
        delivered: 0,
        deferred: 100,
        refused: 0,
      })
      expect(server.contents).toBeLessThanOrEqual(most)
      expect(server.contents).toBeGreaterThanOrEqual(concurrency)
    },
  )

  test('all go where one says no now and then', async () => {
    await using server = await StepServer.start({ lmtp: false, tls: false, signIn: false }, QUIET)
    await using scene = await Scene.create()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${server.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.fill(100)
    server.failure = { step: 'dot', what: '451 4.7.1 later', every: 2 }
    expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'partial', error: null })
    server.failure = null
    expect(await scene.poll({ eager: true })).toMatchObject({ outcome: 'ok', deferred: 0 })
    expect(new Set(server.taken).size).toBe(100)
    expect(server.taken).toHaveLength(100)
  })
})

test('a row of answers says how many more of them close the door', () => {
  const entry = (conclusion: RowEntry['conclusion'], same = 'x', aboutUs = false): RowEntry => ({
    message: same,
    conclusion,
    same,
    aboutUs,
  })
  const left = (...row: RowEntry[]): number => answersLeft({ ...blankDestination('key', ''), row })
  expect(left()).toBe(Infinity)
  expect(left(entry('TEMP'))).toBe(2)
  expect(left(entry('TEMP'), entry('TEMP'))).toBe(1)
  expect(left(entry('TEMP', 'y'), entry('TEMP'))).toBe(2)
  expect(left(entry('LOST'))).toBe(1)
  expect(left(entry('LOST'), entry('CUT'))).toBe(1)
  expect(left(entry('BAD'), entry('BAD', 'y'))).toBe(8)
  expect(left(entry('BAD'), entry('BAD', 'y', true))).toBe(2)
})

describe('turns', () => {
  test('are given in the order in which they were asked for, as many as there is room', async () => {
    const turns = new Turns()
    const given: string[] = []
    const take = (name: string, room: () => number) =>
      turns.take('key', room).then((turn) => {
        given.push(name)
        return turn
      })
    let room = 2
    const [a, b] = await Promise.all([take('a', () => room), take('b', () => room)])
    const others = ['c', 'd', 'e'].map((name) => take(name, () => room))
    await turns.take('another', () => 1)
    expect(given).toEqual(['a', 'b'])
    // Something is amiss: one at a time.
    room = 1
    a?.[Symbol.dispose]()
    await turns.take('yet another', () => 1)
    expect(given).toEqual(['a', 'b'])
    b?.[Symbol.dispose]()
    const c = await others[0]
    expect(given).toEqual(['a', 'b', 'c'])
    room = Infinity
    c?.[Symbol.dispose]()
    await Promise.all(others)
    expect(given).toEqual(['a', 'b', 'c', 'd', 'e'])
  })
})
