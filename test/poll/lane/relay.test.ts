// Many small messages on their way to a mail server take the lane, and each is offered there as on the usual road. What the server does
// not take goes on there, and so do those behind it.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { type SmtpFaults, SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'
import { failing } from './faulty-ledgers.ts'
import { plain, recordsOf } from './found.ts'

const COUNT = 60

let scene: Scene
let sink: SmtpSink
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-30T12:00:00Z') })
  await renew()
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  await end()
})

async function renew(more = 'concurrency: 1'): Promise<void> {
  sink = await SmtpSink.start()
  scene = await Scene.create()
  scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net, ${more} }`]
  scene.deliver = 'next'
  scene.account = ['delete: after-delivery']
}

async function end(): Promise<void> {
  await scene[Symbol.asyncDispose]()
  await sink[Symbol.asyncDispose]()
}

/** How many attempts were recorded in one commit at most: the lane begins with more than the usual road ever does. And what the ledger was
 *  asked for, in that order. */
function watched() {
  const seen = { most: 0, log: [] as string[] }
  const { ledgerOf } = scene
  scene.ledgerOf = (ledger: Ledger) =>
    new Proxy(ledgerOf(ledger), {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...given: unknown[]): unknown => {
          if (name === 'begin') seen.most = Math.max(seen.most, (given[1] as readonly unknown[]).length)
          if (name === 'handOver' || name === 'settle') seen.log.push(name)
          return Reflect.apply(value, target, given)
        }
      },
    })
  return seen
}

/** The subjects, in their order. */
function arrived(): readonly string[] {
  return sink.messages.map(({ bytes }) => /^Subject: (.*)\r$/m.exec(bytes.toString('latin1'))?.[1] ?? '')
}

/** Without what differs at every run. */
function told(found: AccountReport | readonly object[]): unknown {
  const text = JSON.stringify('durationMs' in found ? { ...found, bytes: null, durationMs: null } : found)
  return JSON.parse(plain(text.replaceAll(`127.0.0.1:${sink.port}`, 'there')))
}

interface Fault {
  readonly what: string
  readonly begin: () => void
}

/** Answers so to the message with this number, once or always. */
function at(stage: keyof SmtpFaults, number: number, answer: string, more = 0): Fault {
  const what = `${stage} of message ${number}${more > 0 ? ` and ${more} more` : ''} answered by ${answer}`
  const begin = (): void => {
    let count = 0
    sink.faults[stage] = () => {
      count++
      return count >= number && count <= number + more ? answer : null
    }
  }
  return { what, begin }
}

const FAULTS: readonly Fault[] = [
  { what: 'nothing amiss', begin: () => {} },
  at('dot', 10, '554 5.7.1 not this one'),
  at('dot', 10, '554 5.7.1 not these', 12),
  at('dot', 10, '451 4.3.0 later'),
  at('dot', 10, '451 4.3.0 later', 5),
  at('dot', 10, '452 4.2.2 full'),
  at('dot', 10, 'lost'),
  at('dot', 10, 'lost', 1),
  at('dot', 10, 'drop'),
  at('rcpt', 10, '550 5.1.1 nobody'),
  at('rcpt', 10, '452 4.2.2 full'),
  at('mail', 10, '451 4.7.1 later'),
  at('mail', 10, '421 4.3.2 closing'),
  at('mail', 10, 'drop'),
  at('mail', 1, '550 5.7.1 no'),
  at('dot', 59, '554 5.7.1 not this one'),
  at('connect', 2, '554 no'),
  {
    what: 'a record of what became of message 12 that fails',
    begin: () => (scene.ledgerOf = (ledger) => failing(ledger, 'settle', 'uid-12')),
  },
]

describe.each(FAULTS)('with $what', ({ begin }) => {
  test('both roads tell, deliver, remember and delete the same', async () => {
    const found: unknown[] = []
    for (const road of ['usual', 'lane'] as const) {
      vi.stubEnv('POPFETCH_ROAD', road)
      scene.fill(COUNT)
      begin()
      const seen = watched()
      const polls = [told(await scene.poll())]
      expect(seen.most).toBe(road === 'lane' ? COUNT : 50)
      Object.assign(sink.faults, { connect: null, mail: null, rcpt: null, dot: null })
      scene.ledgerOf = (ledger) => ledger
      polls.push(told(await scene.poll()))
      found.push({
        polls,
        arrived: arrived(),
        records: told(await recordsOf(scene)),
        left: scene.left(),
        log: seen.log,
      })
      await end()
      await renew()
    }
    expect(found[1]).toEqual(found[0])
  })
})

test('each of several answers that are lost at once is known as lost: it is sent once more, and told as a possible duplicate', async () => {
  await end()
  await renew('concurrency: 4')
  vi.stubEnv('POPFETCH_ROAD', 'lane')
  scene.fill(COUNT)
  let asked = 0
  const all = Promise.withResolvers<'lost'>()
  sink.faults.dot = () => {
    if (++asked === 4) all.resolve('lost')
    return asked <= 4 ? all.promise : null
  }
  const seen = watched()
  const first = await scene.poll()
  expect(seen.most).toBe(COUNT)
  sink.faults.dot = null
  vi.setSystemTime(Date.now() + 3_600_000)
  let possibleDuplicates = first.possibleDuplicates
  for (let polls = 0; scene.left().length > 0 && polls < 5; polls++) {
    possibleDuplicates += (await scene.poll()).possibleDuplicates
    vi.setSystemTime(Date.now() + 3_600_000)
  }
  expect(scene.left()).toEqual([])
  expect(new Set(arrived()).size).toBe(COUNT)
  expect([arrived().length - COUNT, possibleDuplicates]).toEqual([4, 4])
})

test.each(['usual', 'lane'])(
  'a ledger that cannot begin more is told; what was delivered is recorded, and the next poll sends only the others (%s)',
  async (road) => {
    vi.stubEnv('POPFETCH_ROAD', road)
    scene.account = [...scene.account, 'first: all']
    scene.fill(240)
    scene.ledgerOf = (ledger) => failing(ledger, 'begin', 'uid-200')
    const first = await scene.poll()
    expect(first).toMatchObject({ outcome: 'failed', error: { code: 'ERR_LEDGER' }, deleted: 0 })
    expect(first.delivered).toBe(arrived().length)
    scene.ledgerOf = (ledger) => ledger
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 240 - first.delivered })
    expect([arrived().length, new Set(arrived()).size]).toEqual([240, 240])
  },
)
