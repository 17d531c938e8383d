// Whatever a destination of one's own does, the mail stays on the server until it has said that it has the message; and nobody else
// suffers from it.
import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { defineDestination, type OwnDestination } from '../../../src/deliver/own/definition.ts'
import type { OwnMessage } from '../../../src/deliver/own/message.ts'
import { openOwn } from '../../../src/deliver/own/own.ts'
import { undelivered } from '../../../src/deliver/own/undelivered.ts'
import { DeliveryError } from '../../../src/errors.ts'
import { poll } from '../../../src/embed/embed.ts'
import { Scene, Store } from '../../embed/scene.ts'
import { attempt, failure, message, never, SMALL, stoppedClock } from '../scene.ts'

type Deliver = OwnDestination['deliver']
/** What a program without types may answer. */
const answering =
  (given: unknown): Deliver =>
  () =>
    Promise.resolve(given as { readonly text: string })

const TABLE: readonly (readonly [what: string, deliver: Deliver, verdict: string, words: string])[] = [
  [
    'throws at once',
    () => {
      throw new Error('broken')
    },
    'unknown',
    'deliver: broken',
  ],
  ['rejects', () => Promise.reject(new Error('broken')), 'unknown', 'deliver: broken'],
  ['rejects with no error', () => Promise.reject('broken'), 'unknown', 'deliver: broken'],
  ['rejects with nothing', () => Promise.reject(undefined), 'unknown', 'deliver: undefined'],
  ['rejects without a word', () => Promise.reject(new Error('')), 'unknown', 'it failed without a word'],
  ['resolves with nothing', answering(undefined), 'unknown', 'it gave no receipt'],
  ['resolves with true', answering(true), 'unknown', 'it gave no receipt'],
  ['resolves with a text', answering('done'), 'unknown', 'it gave no receipt'],
  ['resolves with a receipt without text', answering({ text: '' }), 'unknown', 'it gave no receipt'],
  ['resolves with a receipt that is a number', answering({ text: 7 }), 'unknown', 'it gave no receipt'],
  ['returns no promise', (() => undefined) as unknown as Deliver, 'unknown', 'it gave no receipt'],
  [
    'says temporary',
    () => {
      throw undelivered({ verdict: 'temporary', text: 'later' })
    },
    'temporary',
    'store: later',
  ],
  [
    'says refused',
    () => {
      throw undelivered({ verdict: 'refused', text: 'never' })
    },
    'refused',
    'store: never',
  ],
  [
    'says unknown',
    () => {
      throw undelivered({ verdict: 'unknown', text: 'perhaps' })
    },
    'unknown',
    'store: perhaps',
  ],
  [
    'says held',
    () => {
      throw undelivered({ verdict: 'held', text: 'ask' })
    },
    'held',
    'store: ask',
  ],
  [
    'says what nobody knows',
    () => {
      throw undelivered({ verdict: 'maybe' as 'held', text: 'hm' })
    },
    'unknown',
    'store: hm',
  ],
]

test.each(TABLE)('a destination that %s has not taken the message', async (_, deliver, verdict, words) => {
  const defined = defineDestination({ description: 'store', deliver })
  await using destination = openOwn({ name: 'store', defined, recipients: [], timeoutMs: 60_000 })
  const error = await failure(destination.deliver(attempt(), message(SMALL), never))
  expect(error).toMatchObject({ verdict, message: expect.stringContaining(words) })
})

test.each(TABLE)(
  'the mail of a destination that %s stays on the server, and other destinations get it',
  async (_, deliver) => {
    await using scene = await Scene.create(2)
    const other = new Store()
    const destinations = {
      store: defineDestination({ description: 'store', deliver }),
      other: defineDestination({ description: 'other', deliver: other.deliver }),
    }
    const accounts = { work: scene.account({ deliver: ['store', 'other'] }) }
    const [report] = await poll(scene.options(other, { accounts, destinations }))
    expect(report).toMatchObject({ delivered: 0, deleted: 0 })
    expect(scene.left()).toEqual(['uid-0', 'uid-1'])
    expect(other.subjects).toEqual([0, 1])
  },
)

test('where a second attempt does no harm, doubt is a failure for the time being: nothing is held', async () => {
  await using scene = await Scene.create(1)
  const store = new Store()
  store.before = () => {
    throw new Error('the line was cut')
  }
  const { description, deliver } = store
  const destinations = { store: defineDestination({ description, deliver, idempotent: true }) }
  for (let poll_ = 0; poll_ < 4; poll_++)
    expect(await poll(scene.options(store, { destinations }), { eager: true })).toMatchObject([
      { held: 0, possibleDuplicates: 0 },
    ])
  store.before = () => {}
  expect(await poll(scene.options(store, { destinations }), { eager: true })).toMatchObject([
    { delivered: 1, deleted: 1, possibleDuplicates: 0 },
  ])
  expect(new Set(store.attempts.map(({ key }) => key)).size).toBe(1)
})

test('elsewhere a message is held after the third answer that was lost, and each further attempt is told', async () => {
  await using scene = await Scene.create(1)
  const store = new Store()
  store.before = () => {
    throw new Error('the line was cut')
  }
  const held: number[] = []
  for (let at = 0; at < 4; at++) held.push((await poll(scene.options(store), { eager: true }))[0]?.held ?? -1)
  expect(held).toEqual([0, 0, 0, 1])
  expect(store.attempts).toHaveLength(3)
  expect(scene.left()).toEqual(['uid-0'])
})

test('a destination that never answers is given up after its limit, told so, and its late answer counts for nothing', async () => {
  using clock = stoppedClock()
  const answer = Promise.withResolvers<{ readonly text: string }>()
  const told: string[] = []
  const reached = Promise.withResolvers<OwnMessage>()
  const defined = defineDestination({
    description: 'store',
    deliver(_, given, signal) {
      signal.addEventListener('abort', () => told.push('stop'))
      reached.resolve(given)
      return answer.promise
    },
  })
  await using destination = openOwn({ name: 'store', defined, recipients: [], timeoutMs: 5000 })
  const failed = failure(destination.deliver(attempt(), message(SMALL), never))
  const kept = await reached.promise
  clock.pass(5001)
  expect(await failed).toMatchObject({ verdict: 'unknown', message: 'store: deliver: no answer within 5 s' })
  expect(told).toEqual(['stop'])
  answer.resolve({ text: 'at last' })
  // Its memory is others' now.
  await expect(kept.bytes()).rejects.toThrow('has ended')
})

test('calls that hang keep their turns: no more of them hang at once than it has', async () => {
  let calls = 0
  const defined = defineDestination({
    description: 'store',
    concurrency: 2,
    deliver() {
      calls++
      return new Promise(() => {})
    },
  })
  const open = () => openOwn({ name: 'store', defined, recipients: [], timeoutMs: 20 })
  for (let poll_ = 0; poll_ < 3; poll_++) {
    const destination = open()
    const errors = await Promise.all([0, 1].map(() => failure(destination.deliver(attempt(), message(SMALL), never))))
    expect(new Set(errors.map(({ verdict }) => verdict))).toEqual(new Set([poll_ === 0 ? 'unknown' : 'temporary']))
  }
  expect(calls).toBe(2)
})

test('what a destination does to what it is given, nobody else sees', async () => {
  await using scene = await Scene.create(1)
  const other = new Store()
  const destroyed = Promise.withResolvers<void>()
  const vandal = defineDestination({
    description: 'vandal',
    async deliver(given, letter) {
      expect(() => Object.assign(given.origin, { uidl: 'x' })).toThrow(TypeError)
      expect(() => Object.assign(given, { key: 'x' })).toThrow(TypeError)
      expect(() => Object.assign(letter, { sizeBytes: 0 })).toThrow(TypeError)
      for await (const chunk of letter.chunks()) chunk.fill('!')
      letter.header().fill('!')
      ;(await letter.bytes()).fill('!')
      destroyed.resolve()
      return { text: 'taken' }
    },
  })
  const careful = defineDestination({
    description: 'careful',
    async deliver(given, letter, signal) {
      await destroyed.promise
      expect(hash('sha256', await letter.bytes(), 'hex')).toBe(letter.sha256)
      return await other.deliver(given, letter, signal)
    },
  })
  const accounts = { work: scene.account({ deliver: ['vandal', 'careful'] }) }
  const [report] = await poll(scene.options(other, { accounts, destinations: { vandal, careful } }))
  expect(report).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(other.subjects).toEqual([0])
})

test.each([
  ['rejects', () => Promise.reject(new Error('no store today'))],
  [
    'says temporary',
    () => Promise.reject(undelivered({ verdict: 'temporary', scope: 'message', text: 'no store today' })),
  ],
])('a destination whose ready %s gets no message, and none is fetched for it', async (_, ready) => {
  await using scene = await Scene.create(1)
  const store = new Store()
  const { description, deliver } = store
  const destinations = { store: defineDestination({ description, deliver, ready }) }
  const [report] = await poll(scene.options(store, { destinations }))
  expect(report).toMatchObject({ outcome: 'failed', error: { message: 'store: ready: no store today' } })
  expect(store.attempts).toEqual([])
  expect(scene.server.journal.commands().filter((line) => line.startsWith('RETR'))).toEqual([])
})

test.each([
  ['undefined', undefined],
  ['true', true],
  ['a receipt without text', {}],
])('a recall that answers %s settles nothing', async (_, given) => {
  const defined = defineDestination({
    description: 'store',
    deliver: answering({ text: 'x' }),
    recall: () => Promise.resolve(given as unknown as null),
  })
  await using destination = openOwn({ name: 'store', defined, recipients: [], timeoutMs: 1000 })
  const error = await failure(destination.recall(attempt(), never).then((found) => found))
  expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
})

test.each([
  ['no object', null, 'an object'],
  ['no description', { deliver: answering({ text: 'x' }) }, 'a description'],
  ['no deliver', { description: 'x' }, 'deliver, a function'],
  ['a recall that is none', { description: 'x', deliver: answering({}), recall: 1 }, 'recall'],
  ['one recipient twice', { description: 'x', deliver: answering({}), recipients: ['a', 'a'] }, 'every recipient once'],
  ['an empty recipient', { description: 'x', deliver: answering({}), recipients: [''] }, 'recipients as a list'],
  ['a concurrency of 0', { description: 'x', deliver: answering({}), concurrency: 0 }, 'concurrency'],
  ['a limit in seconds', { description: 'x', deliver: answering({}), timeoutMs: 30 }, 'timeoutMs'],
])('defineDestination refuses %s', (_, own, words) => {
  const error = (): unknown => defineDestination(own as unknown as OwnDestination)
  expect(error).toThrow(words)
})

test('undelivered keeps a pause within a day, and what it does not understand out', () => {
  const pauses = [-5, Number.NaN, 90_000.4, 1e12].map(
    (pauseMs) => undelivered({ verdict: 'temporary', text: 'x', pauseMs }).pauseMs,
  )
  expect(pauses).toEqual([0, 0, 90_000, 86_400_000])
  expect(undelivered({ verdict: 'temporary', scope: 'destination', text: 'x' })).toBeInstanceOf(DeliveryError)
  expect(undelivered({ verdict: 'temporary', scope: 'recipient', text: 'x' })).toMatchObject({ scope: 'recipient' })
})
