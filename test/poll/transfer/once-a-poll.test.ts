// What was refused in a poll is not asked for again in it, however many sessions it takes; and it holds up nothing.
import { expect, test } from 'vitest'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene, upTo } from '../scene.ts'

test.each([
  ['for good', '-ERR no such message'],
  ['for now', '-ERR [SYS/TEMP] locked'],
])(
  'a message that the server refuses %s holds up none that ended a session once (P106, P160)',
  async (_how, refusal) => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(4)
    let isBad = true
    scene.server.faults.onCommand = (verb, number) => {
      const uidl = scene.server.mailbox('alice').messages[Number(number) - 1]?.uidl
      if (verb === 'RETR' && uidl === 'uid-2') return refusal
      return verb === 'RETR' && uidl === 'uid-1' && isBad ? 'drop' : 'serve'
    }
    await scene.poll()
    isBad = false
    scene.server.journal.length = 0
    await scene.poll()
    expect(scene.subjects()).toEqual([0, 1, 3])
    expect(scene.left()).toEqual(['uid-2'])
    expect(scene.server.journal.of('connect').length).toBeLessThanOrEqual(3)
  },
)

test('what a destination does not take for its own sake is offered once a poll, and counted once', async () => {
  await using sink = await SmtpSink.start()
  await using scene = await Scene.create()
  scene.deliver = 'hop'
  scene.destinations = [`hop: { type: smtp, host: ${sink.host}, port: ${sink.port}, tls: none, to: bob@example.net }`]
  scene.fill(4)
  const offered: string[] = []
  sink.faults.dot = ({ bytes }) => {
    const subject = /^Subject: (.*)\r$/m.exec(bytes.toString('latin1'))?.[1] ?? ''
    offered.push(subject)
    return subject === 'letter 0' ? '451 4.7.1 try again' : subject === 'letter 1' ? '550 5.6.0 malformed' : null
  }
  scene.server.faults.onCommand = (verb, number) => (verb === 'RETR' && number === '3' ? 'drop' : 'serve')
  expect(await scene.poll()).toMatchObject({ delivered: 1, deferred: 2, refused: 1 })
  expect(offered.toSorted()).toEqual(['letter 0', 'letter 1', 'letter 3'])
  expect(scene.count('RETR 3')).toBeGreaterThan(1)
  expect(upTo(4).map((at) => `letter ${at}`)).toContain(offered[0])
})
