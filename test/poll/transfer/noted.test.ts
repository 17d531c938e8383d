// A destination that took a message has it, whatever becomes of the notes that the ledger takes of the destination. The first message that
// is taken after one that was not ends what was noted.
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { PopfetchError } from '../../../src/errors.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { failing } from '../lane/faulty-ledgers.ts'
import { Scene } from '../scene.ts'

const COUNT = 40
const TURNS = 40

let first: SmtpSink
let sink: SmtpSink
let scene: Scene
beforeEach(async () => {
  ;[first, sink] = [await SmtpSink.start(), await SmtpSink.start()]
  first.faults.dot = '554 5.7.1 no'
  scene = await Scene.create()
  const keys = 'type: smtp, host: 127.0.0.1, to: bob@example.net, concurrency: 1'
  scene.destinations = [`first: { ${keys}, port: ${first.port} }`, `next: { ${keys}, port: ${sink.port} }`]
  scene.account = ['delete: after-delivery']
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await scene[Symbol.asyncDispose]()
  await Promise.all([first, sink].map((server) => server[Symbol.asyncDispose]()))
})

const ROADS = [
  { road: 'usual', deliver: 'next' },
  { road: 'lane', deliver: 'next' },
  { road: 'usual', deliver: '{ first-of: [first, next] }' },
]

/** A poll after one that left something behind. */
async function prepare({ road, deliver }: (typeof ROADS)[number]): Promise<void> {
  vi.stubEnv('POPFETCH_ROAD', road)
  scene.deliver = deliver
  scene.fill(1)
  sink.faults.dot = '451 4.3.0 later'
  await scene.poll()
  sink.faults.dot = null
  scene.fill(COUNT, 1)
}

/** The ledger, which notes so what is known of a destination. */
function noting(ledger: Ledger, note: (make: () => unknown) => unknown): Ledger {
  return new Proxy(ledger, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...given: unknown[]): unknown => {
        const make = (): unknown => Reflect.apply(value, target, given)
        return name === 'changeDestination' ? note(make) : make()
      }
    },
  })
}

test.each(ROADS)('a record that fails before the note is made ends the poll ($road, $deliver)', async (row) => {
  await prepare(row)
  const late = async (make: () => unknown): Promise<unknown> => {
    for (let left = TURNS; left > 0; left--) await turn()
    return await make()
  }
  scene.ledgerOf = (ledger) => noting(failing(ledger, 'settle', 'uid-1'), late)
  expect((await scene.poll()).error).toMatchObject({ code: 'ERR_LEDGER' })
})

test.each(ROADS)('a note that fails ends the poll, and no message is sent twice ($road, $deliver)', async (row) => {
  await prepare(row)
  let left = 1
  const failOnce = async (make: () => unknown): Promise<unknown> => {
    if (left-- > 0) throw new PopfetchError('ERR_LEDGER', 'the disk is full', { scope: 'process', retry: 'later' })
    return await make()
  }
  scene.ledgerOf = (ledger) => noting(ledger, failOnce)
  expect((await scene.poll()).error).toMatchObject({ code: 'ERR_LEDGER' })
  scene.ledgerOf = (ledger) => ledger
  for (let polls = 0; scene.left().length > 0 && polls < 3; polls++) await scene.poll()
  expect(scene.left()).toEqual([])
  const subjects = sink.messages.map(({ bytes }) => /^Subject: (.*)\r$/m.exec(bytes.toString('latin1'))?.[1])
  expect(new Set(subjects).size).toBe(COUNT + 1)
  expect(subjects).toHaveLength(COUNT + 1)
})
