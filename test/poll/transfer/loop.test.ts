// Mail that comes back to the mailbox it was forwarded from is held after one lap, and stays on the server (D046).
import { expect, test } from 'vitest'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

function forwarding(sink: SmtpSink, to: string): string {
  return `{ type: smtp, host: 127.0.0.1, port: ${sink.port}, tls: none, to: ${to} }`
}

test('a message that was forwarded and comes back is held, reported once, and not sent again', async () => {
  await using sink = await SmtpSink.start()
  await using scene = await Scene.create()
  scene.destinations = [`forward: ${forwarding(sink, 'bob@example.com')}`]
  scene.deliver = 'forward'
  scene.account = ['delete: after-delivery']
  scene.fill(1)
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, deleted: 1 })

  scene.server.mailbox('alice').add(sink.messages[0]?.bytes ?? Buffer.alloc(0), { uidl: 'back' })
  const lap = await scene.poll()
  expect(lap).toMatchObject({ outcome: 'partial', delivered: 0, held: 1, refused: 0, deferred: 0, deleted: 0 })
  expect(lap.problems).toMatchObject([{ uidl: 'back', kind: 'held' }])
  expect(lap.problems[0]?.reason).toMatch(/a possible loop: .*came back/)

  expect(await scene.poll()).toMatchObject({ outcome: 'ok', held: 0, problems: [] })
  expect(sink.messages).toHaveLength(1)
  expect(scene.left()).toEqual(['back'])
})

test('it is held only once the other destinations have it', async () => {
  await using sink = await SmtpSink.start()
  await using second = await SmtpSink.start()
  await using scene = await Scene.create()
  scene.destinations = [
    `forward: ${forwarding(sink, 'bob@example.com')}`,
    `other: ${forwarding(second, 'eve@example.com')}`,
  ]
  scene.deliver = '[forward, other]'
  scene.fill(1)
  await scene.poll()
  scene.server.mailbox('alice').add(sink.messages[0]?.bytes ?? Buffer.alloc(0), { uidl: 'back' })

  second.faults.rcpt = '451 4.3.0 later'
  expect(await scene.poll()).toMatchObject({ deferred: 1, held: 0 })
  second.faults.rcpt = null
  expect(await scene.poll()).toMatchObject({ deferred: 0, held: 1 })
  expect(second.messages).toHaveLength(2)
  expect(sink.messages).toHaveLength(1)
})
