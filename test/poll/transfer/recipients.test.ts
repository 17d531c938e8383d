// Several recipients of one destination: each is a delivery of its own, and none is made twice (D034, D063).
import { expect, test } from 'vitest'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

test('who has a message does not get it again when another recipient is served later (D034)', async () => {
  await using sink = await SmtpSink.start()
  await using scene = await Scene.create()
  scene.destinations = [
    `out: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, to: [a@example.com, b@example.com] }`,
  ]
  scene.deliver = 'out'
  scene.account = ['delete: after-delivery']
  scene.fill(3)
  sink.faults.rcpt = (address) => (address === 'b@example.com' ? '451 4.3.0 later' : null)
  expect(await scene.poll()).toMatchObject({ delivered: 0, deferred: 3, deleted: 0 })
  sink.faults.rcpt = null
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3, deferred: 0, deleted: 3 })
  const got = sink.messages.map(({ to }) => to.join(' ')).sort()
  expect(got).toEqual([...Array(3).fill('a@example.com'), ...Array(3).fill('b@example.com')])
})

test('what a server refuses is not asked for again soon, and stays (D031)', async () => {
  await using sink = await SmtpSink.start()
  await using scene = await Scene.create()
  scene.destinations = [`out: { type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, to: a@example.com }`]
  scene.deliver = 'out'
  scene.account = ['delete: after-delivery']
  scene.fill(1)
  sink.faults.dot = '550 5.7.1 not wanted'
  expect(await scene.poll()).toMatchObject({ outcome: 'partial', refused: 1, deleted: 0 })
  const retrieved = scene.count('RETR')
  expect(await scene.poll()).toMatchObject({ refused: 0, delivered: 0, deleted: 0 })
  expect(scene.count('RETR')).toBe(retrieved)
  expect(scene.left()).toHaveLength(1)
})
