// What a kill leaves in doubt: at no moment are more messages handed over, and not settled, than go to a destination at once (S042).
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Slots } from '../../../src/deliver/slots.ts'
import { HandingOver } from '../../../src/poll/run/handing.ts'
import { GmailServer } from '../../support/gmail-server.ts'
import { ImapServer } from '../../support/imap-server.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { watched } from '../doubts.ts'
import { Scene } from '../scene.ts'

/** Every third answer is lost, so that each later one says something of the destination. */
function thirdsLost(): () => 'lost' | null {
  let count = 0
  return () => (++count % 3 === 0 ? 'lost' : null)
}

async function sink(): Promise<SmtpSink> {
  const server = await SmtpSink.start()
  server.faults.dot = thirdsLost()
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

const smtp = ({ port }: SmtpSink, concurrency: number, to = 'bob@example.net'): string =>
  `{ type: smtp, host: 127.0.0.1, port: ${port}, to: ${to}, concurrency: ${concurrency} }`

/** One poll: how many were in doubt at once at most. */
async function mostInDoubt(scene: Scene, atLeast = 3): Promise<number> {
  const { of, most } = watched()
  scene.ledgerOf = of
  const { delivered } = await scene.poll()
  expect(delivered).toBeGreaterThanOrEqual(atLeast)
  return most()
}

describe.each(['usual', 'lane'])('on the road %s', (road) => {
  beforeEach(() => void vi.stubEnv('POPFETCH_ROAD', road))
  afterEach(() => vi.unstubAllEnvs())

  test.each([1, 2, 4])('an SMTP server with %i connections has no more in doubt', async (concurrency) => {
    await using scene = await Scene.create()
    scene.destinations = [`next: ${smtp(await sink(), concurrency)}`]
    scene.deliver = 'next'
    scene.fill(40)
    expect(await mostInDoubt(scene)).toBeLessThanOrEqual(concurrency)
  })
})

test('so has Gmail', async () => {
  await using server = await GmailServer.start()
  await using scene = await Scene.create()
  server.faults.import = thirdsLost()
  scene.destinations = [`google: { type: gmail, user: anna@gmail.com, token: good, endpoint: "${server.endpoint}" }`]
  scene.deliver = 'google'
  scene.fill(40)
  expect(await mostInDoubt(scene)).toBeLessThanOrEqual(4)
})

test('so has a server that gets each message for two recipients', async () => {
  await using scene = await Scene.create()
  scene.destinations = [`next: ${smtp(await sink(), 2, '[bob@example.net, eve@example.net]')}`]
  scene.deliver = 'next'
  scene.fill(20)
  expect(await mostInDoubt(scene, 1)).toBeLessThanOrEqual(2)
})

test('what a first-of sends on keeps the place that it has; two in opposite orders do not wait for each other', async () => {
  const [one, two] = [await sink(), await sink()]
  const even = ({ bytes }: { readonly bytes: Buffer }): boolean =>
    /letter \d*[02468]\r$/m.test(bytes.toString('latin1'))
  one.faults.dot = (message) => (even(message) ? '554 5.7.1 no' : null)
  two.faults.dot = (message) => (even(message) ? null : '554 5.7.1 no')
  await using scene = await Scene.create()
  scene.destinations = [`one: ${smtp(one, 1)}`, `two: ${smtp(two, 1)}`]
  scene.deliver = '[{ first-of: [one, two] }, { first-of: [two, one] }]'
  scene.fill(20)
  expect(await mostInDoubt(scene, 20)).toBeLessThanOrEqual(2)
  expect([one.messages.length, two.messages.length]).toEqual([20, 20])
})

test('a server behind a folder that knows what it has, and refuses all, has no more in doubt than it has connections', async () => {
  await using imap = await ImapServer.start()
  imap.answer = ({ command }) => (command === 'APPEND' ? 'NO [TOOBIG] too big' : null)
  const next = await sink()
  await using scene = await Scene.create()
  const folder = `folder: { type: imap, host: 127.0.0.1, port: ${imap.port}, tls: none, user: me, password: secret }`
  scene.destinations = [folder, `next: ${smtp(next, 1)}`]
  scene.deliver = '{ first-of: [folder, next] }'
  scene.fill(20)
  expect(await mostInDoubt(scene)).toBe(1)
})

test('a delivery that waits for a place ends with the poll, as one that may be tried again', async () => {
  const place = { handOvers: new Slots(1) }
  const ending = new AbortController()
  expect(await new HandingOver().begin(place, ending.signal)).toBeNull()
  const begun = new HandingOver().begin(place, ending.signal)
  ending.abort()
  expect(await begun).toMatchObject({ code: 'ERR_DELIVERY', verdict: 'temporary', counts: false })
})
