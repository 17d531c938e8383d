// Answers in a row, and the order in which messages are offered, as polls meet them: what is counted together, what ends a row, and
// which message goes first after a rest.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AccountReport } from '../../../src/poll/report.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { letter, Scene, upTo } from '../scene.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const LATER = '451 4.7.1 later'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') }))
afterEach(() => void vi.useRealTimers())

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

function numberOf({ bytes }: { readonly bytes: Buffer }): number {
  return Number(/^Subject: letter (\d+)/m.exec(bytes.toString('latin1'))?.[1])
}

class Relay implements AsyncDisposable {
  readonly scene: Scene
  readonly sink: SmtpSink

  private constructor(scene: Scene, sink: SmtpSink) {
    ;[this.scene, this.sink] = [scene, sink]
  }

  static async of(keys = 'to: bob@example.net'): Promise<Relay> {
    const scene = await Scene.create()
    const sink = await SmtpSink.start()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, concurrency: 1, ${keys} }`]
    scene.deliver = 'next'
    return new Relay(scene, sink)
  }

  /** As cron polls: nobody asks. */
  poll(): Promise<AccountReport> {
    return this.scene.poll({ eager: false })
  }

  add(number: number, text = letter(number)): void {
    this.scene.server.mailbox('alice').add(text, { uidl: `uid-${number}` })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]()
    await this.sink[Symbol.asyncDispose]()
  }
}

test('answers are counted for each recipient: one that defers everything rests, the other gets all', async () => {
  await using at = await Relay.of('to: [bob@example.net, eve@example.net]')
  const { scene, sink } = at
  scene.fill(6)
  let asked = 0
  sink.faults.dot = ({ to }) => {
    if (!to.includes('bob@example.net')) return null
    asked++
    return LATER
  }
  expect(await at.poll()).toMatchObject({ delivered: 0, deferred: 6, error: { exit: 75 } })
  expect(sink.messages.map(numberOf).toSorted((a, b) => a - b)).toEqual(upTo(6))
  expect(asked).toBe(3)
  const retrieved = scene.count('RETR')
  later(MINUTE)
  expect(await at.poll()).toMatchObject({ outcome: 'paused', deferred: 6 })
  expect(scene.count('RETR')).toBe(retrieved)
})

describe('a row is ended by a message that was taken', () => {
  const polled = async (at: Relay): Promise<AccountReport> => {
    const report = await at.poll()
    expect(report).toMatchObject({ delivered: 1, deferred: 4, deferredThemselves: 4, troubles: [] })
    return report
  }

  test('as it is', async () => {
    await using at = await Relay.of()
    at.scene.fill(5)
    at.sink.faults.dot = (message) => (numberOf(message) === 2 ? null : LATER)
    await polled(at)
  })

  test('from our own sender', async () => {
    await using at = await Relay.of()
    for (const number of upTo(5)) {
      const sender = number === 2 ? 'nobody@foreign.example' : 'ann@good.example'
      at.add(number, `Return-Path: <${sender}>\r\n${letter(number)}`)
    }
    at.sink.faults.mail = (sender) => (sender.endsWith('foreign.example') ? '553 5.1.8 sender unknown' : null)
    at.sink.faults.dot = (message) => (numberOf(message) === 2 ? null : LATER)
    await polled(at)
    expect(at.sink.messages.map(({ from }) => from)).toEqual(['bob@example.net'])
  })

  test('as an attachment', async () => {
    await using at = await Relay.of('to: bob@example.net, wrap: when-refused')
    for (const number of upTo(5)) at.add(number, letter(number).replace(/^Message-ID: .*\r\n/m, ''))
    at.sink.faults.dot = (message) => {
      if (message.bytes.includes('message/rfc822')) return null
      return numberOf(message) === 2 ? '554 5.6.0 malformed' : LATER
    }
    await polled(at)
  })
})

test('after a rest the smallest message goes first that had no part in it, and what had part goes last', async () => {
  await using at = await Relay.of()
  const { scene, sink } = at
  scene.fill(1)
  sink.faults.dot = '450 4.7.28 too much mail from you'
  await at.poll()
  sink.faults.dot = null
  for (const [index, lines] of [300, 200, 100, 400].entries())
    at.add(index + 1, `${letter(index + 1)}${'a line more\r\n'.repeat(lines)}`)
  later(15 * MINUTE)
  expect(await at.poll()).toMatchObject({ outcome: 'ok', delivered: 5 })
  const order = sink.messages.map(numberOf)
  expect([order[0], order.at(-1)]).toEqual([3, 0])
})

test('mail that was never tried goes before what was deferred, and that before what was refused', async () => {
  await using at = await Relay.of()
  const { scene, sink } = at
  scene.fill(4)
  sink.faults.dot = (message) => (numberOf(message) % 2 === 0 ? '554 5.7.1 no' : LATER)
  expect(await at.poll()).toMatchObject({ deferred: 2, refused: 2 })
  sink.faults.dot = null
  later(2 * HOUR)
  scene.fill(2, 4)
  expect(await at.poll()).toMatchObject({ delivered: 6 })
  const kinds = sink.messages
    .map(numberOf)
    .map((number) => (number > 3 ? 'new' : number % 2 === 1 ? 'deferred' : 'refused'))
  expect(kinds).toEqual(['new', 'new', 'deferred', 'deferred', 'refused', 'refused'])
})
