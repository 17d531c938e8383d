// Single hazards of delivering, as polls meet them: runs of refused senders, limits that speak as refusals, what is counted.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { MessageRecord } from '../../../src/ledger/records.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { letter, Scene, upTo } from '../scene.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

/** As cron polls: nobody asks. */
function poll(scene: Scene): Promise<AccountReport> {
  return scene.poll({ eager: false })
}

async function relayed(deliver = 'next'): Promise<AsyncDisposable & { scene: Scene; sink: SmtpSink }> {
  const scene = await Scene.create()
  const sink = await SmtpSink.start()
  scene.destinations = [
    `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net, concurrency: 1 }`,
    'inbox: { type: maildir, path: inbox }',
  ]
  scene.deliver = deliver
  const dispose = async (): Promise<void> => {
    await scene[Symbol.asyncDispose]()
    await sink[Symbol.asyncDispose]()
  }
  return { scene, sink, [Symbol.asyncDispose]: dispose }
}

/** Numbered messages of this envelope sender. */
function fillFrom(scene: Scene, sender: string, count: number, from: number): void {
  const mailbox = scene.server.mailbox('alice')
  for (let at = from; at < from + count; at++)
    mailbox.add(`Return-Path: <${sender}>\r\n${letter(at)}`, { uidl: `uid-${at}` })
}

function numbers(sink: SmtpSink): number[] {
  const subjects = sink.messages.map(({ bytes }) =>
    Number(/^Subject: letter (\d+)/m.exec(bytes.toString('latin1'))?.[1]),
  )
  return subjects.toSorted((a, b) => a - b)
}

async function messages(scene: Scene): Promise<readonly MessageRecord[]> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  const found: MessageRecord[] = []
  for await (const slice of ledger.records.list(scene.name, 'all')) found.push(...slice)
  return found
}

describe('a run of refused senders', () => {
  test('before good mail holds up none of it, and opens no rest (D127)', async () => {
    await using at = await relayed()
    const { scene, sink } = at
    fillFrom(scene, 'spammer@bad.example', 60, 0)
    fillFrom(scene, 'ann@good.example', 10, 60)
    sink.faults.mail = (sender) => (sender.endsWith('bad.example') ? '550 5.7.1 not from there' : null)
    expect(await poll(scene)).toMatchObject({ outcome: 'partial', delivered: 10, refused: 60, troubles: [] })
    expect(numbers(sink)).toEqual(upTo(10).map((number) => number + 60))
    later(MINUTE)
    const [retrieved, sessions] = [scene.count('RETR'), sink.connections]
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', refused: 0 })
    expect([scene.count('RETR'), sink.connections]).toEqual([retrieved, sessions])
  })

  test('of more than a hundred ends at a hundred: servers count them; the others come at the next poll', async () => {
    await using at = await relayed()
    const { scene, sink } = at
    let refusals = 0
    fillFrom(scene, 'spammer@bad.example', 150, 0)
    sink.faults.mail = (sender) => {
      if (!sender.endsWith('bad.example')) return null
      refusals++
      return '554 5.7.1 sender blocked'
    }
    const first = await poll(scene)
    expect(refusals).toBeGreaterThan(90)
    expect(refusals).toBeLessThanOrEqual(100 + 1)
    expect(first).toMatchObject({ refused: refusals, deferred: 150 - refusals })
    // A new connection after ten on one.
    expect(sink.connections).toBeGreaterThanOrEqual(10)
    later(MINUTE)
    refusals = 0
    await poll(scene)
    expect(refusals).toBe(150 - first.refused)
  })

  test.each([
    ['alone', 'next', 60],
    ['as the first of two', '{ first-of: [next, inbox] }', 1000],
    ['as the second of two', '{ first-of: [shut, next] }', 60],
  ] as const)('ends at a hundred over all sessions of a poll, %s', async (_, deliver, sessionLimit) => {
    await using at = await relayed(deliver)
    const { scene, sink } = at
    await using shut = await SmtpSink.start()
    scene.destinations = [
      ...scene.destinations,
      `shut: { type: smtp, host: 127.0.0.1, port: ${shut.port}, to: bob@example.net, concurrency: 1 }`,
    ]
    shut.faults.dot = () => Promise.resolve('554 5.7.1 no')
    // One in ten is taken: so a session brings something, and another one follows.
    for (const number of upTo(12)) {
      fillFrom(scene, 'ann@good.example', 1, 10 * number)
      fillFrom(scene, 'spammer@bad.example', 9, 10 * number + 1)
    }
    let refusals = 0
    sink.faults.mail = (sender) => {
      if (!sender.endsWith('bad.example')) return null
      refusals++
      return '554 5.7.1 sender blocked'
    }
    const never = new AbortController().signal
    const { deferred } = await scene.poll({ eager: false, yes: true }, never, sessionLimit)
    expect(refusals).toBe(100)
    expect(deferred).toBeGreaterThan(0)
  })
})

test.each(['550 5.4.5 daily limit', '552 5.2.2 full', '554 5.3.1 full', '550 5.7.28 too much'])(
  'what passes by itself marks no message refused, however often it is said: "%s" (D117)',
  async (answer) => {
    await using at = await relayed()
    const { scene, sink } = at
    scene.fill(12)
    sink.faults.dot = () => Promise.resolve(answer)
    for (let polls = 0; polls < 4; polls++) {
      expect(await poll(scene)).toMatchObject({ refused: 0, held: 0, deferred: 12 })
      later(HOUR)
    }
    const all = await messages(scene)
    expect(all.flatMap(({ deliveries }) => deliveries).filter(({ refusals }) => refusals > 0)).toEqual([])
    sink.faults.dot = null
    for (let polls = 0; polls < 4; polls++) {
      later(HOUR)
      await poll(scene)
    }
    expect(numbers(sink)).toEqual(upTo(12))
  },
)

test('temporary failures do not push the first refusal’s retry to a day: refusals alone count (D129)', async () => {
  await using at = await relayed()
  const { scene, sink } = at
  scene.fill(1)
  sink.faults.dot = () => Promise.resolve('451 4.7.1 later')
  for (let polls = 0; polls < 8; polls++) {
    await poll(scene)
    later(4 * HOUR)
  }
  sink.faults.dot = () => Promise.resolve('554 5.7.1 no')
  await poll(scene)
  const [refused] = await messages(scene)
  expect(refused?.deliveries[0]).toMatchObject({ state: 'refused', refusals: 1, dueAfterMs: Date.now() + HOUR })
})

describe('first-of', () => {
  const CHAIN = '{ first-of: [next, inbox] }'

  test('a spam run that the first refuses goes on to the next at once: 60 of 60 in one poll, no rest (D133)', async () => {
    await using at = await relayed(CHAIN)
    const { scene, sink } = at
    scene.fill(60)
    sink.faults.dot = () => Promise.resolve('554 5.7.1 spam')
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 60, refused: 0, error: null })
    expect(scene.subjects()).toEqual(upTo(60))
    sink.faults.dot = null
    scene.fill(1, 60)
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(numbers(sink)).toEqual([60])
  })

  test.each(['450 4.7.28 too much', '550 5.4.5 daily limit', '451 4.7.1 later', '452 4.3.1 no room'])(
    'what waits keeps a message from the next for a day at most: "%s" (D133)',
    async (answer) => {
      await using at = await relayed(CHAIN)
      const { scene, sink } = at
      scene.fill(2)
      sink.faults.dot = () => Promise.resolve(answer)
      for (let hours = 0; hours < 23; hours++) {
        expect(await poll(scene)).toMatchObject({ delivered: 0, deferred: 2 })
        later(HOUR)
      }
      expect(scene.subjects()).toEqual([])
      for (let hours = 23; hours < 30; hours++) {
        await poll(scene)
        later(HOUR)
      }
      expect(scene.subjects()).toEqual(upTo(2))
      expect(await poll(scene)).toMatchObject({ outcome: 'ok', deferred: 0 })
      // What came since waits again.
      scene.fill(1, 2)
      await poll(scene)
      expect(scene.subjects()).toEqual(upTo(2))
    },
  )

  test('an answer that was lost never goes on to the next, however long it waits (D133)', async () => {
    await using at = await relayed(CHAIN)
    const { scene, sink } = at
    scene.fill(1)
    sink.faults.dot = () => Promise.resolve('drop')
    for (let polls = 0; polls < 5; polls++) {
      await poll(scene)
      later(DAY)
    }
    expect(scene.subjects()).toEqual([])
    const [message] = await messages(scene)
    expect(message).toMatchObject({ state: 'held' })
  })

  test('nor does it where the first only waits since (D133)', async () => {
    await using at = await relayed(CHAIN)
    const { scene, sink } = at
    scene.fill(1)
    sink.faults.dot = () => Promise.resolve('drop')
    await poll(scene)
    sink.faults.dot = () => Promise.resolve('450 4.7.28 too much')
    for (let polls = 0; polls < 8; polls++) {
      later(8 * HOUR)
      await poll(scene)
    }
    expect(scene.subjects()).toEqual([])
  })

  test('a later one that is left alone is not asked again for each message that the first refuses', async () => {
    await using at = await relayed()
    const { scene, sink } = at
    await using second = await SmtpSink.start()
    scene.destinations = [
      ...scene.destinations,
      `other: { type: smtp, host: 127.0.0.1, port: ${second.port}, to: bob@example.net, concurrency: 1 }`,
    ]
    scene.deliver = '{ first-of: [next, other] }'
    scene.fill(12)
    let asked = 0
    const takes = (number: number): boolean => number % 2 === 0
    sink.faults.dot = ({ bytes }) => {
      const number = Number(/^Subject: letter (\d+)/m.exec(bytes.toString('latin1'))?.[1])
      return Promise.resolve(takes(number) ? null : '554 5.7.1 no')
    }
    second.faults.mail = () => {
      asked++
      return '450 4.7.28 too much'
    }
    const first = await poll(scene)
    expect(first).toMatchObject({ outcome: 'partial', delivered: 6, deferred: 6, error: { exit: 75 } })
    expect(first.troubles.map(({ destination }) => destination)).toEqual(['other'])
    expect(numbers(sink)).toEqual([0, 2, 4, 6, 8, 10])
    expect(asked).toBeLessThanOrEqual(2)
    later(MINUTE)
    const before = asked
    expect(await poll(scene)).toMatchObject({ delivered: 0, deferred: 6 })
    expect(asked).toBe(before)
    second.faults.mail = null
    for (let polls = 0; polls < 6; polls++) {
      later(HOUR)
      await poll(scene)
    }
    expect(numbers(second)).toEqual([1, 3, 5, 7, 9, 11])
    expect(await poll(scene)).toMatchObject({ outcome: 'ok', deferred: 0, error: null })
  })
})
