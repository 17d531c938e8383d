// DELE and QUIT: what is deleted, when, and what is kept on doubt.
import { afterEach, describe, expect, test, vi } from 'vitest'
import { SmtpSink } from '../support/smtp-server.ts'
import { Scene, upTo } from './scene.ts'

const HOUR_MS = 3_600_000
afterEach(() => void vi.useRealTimers())

describe('deletion', () => {
  test('of what an earlier session delivered follows a look at its header', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.poll()
    scene.account = ['delete: after-delivery']
    expect(await scene.poll()).toMatchObject({ deleted: 3, delivered: 0 })
    expect(scene.count('TOP')).toBe(3)
    expect(scene.left()).toEqual([])
  })

  test('waits for the age', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: 30d']
    scene.fill(2)
    await scene.poll()
    expect(await scene.poll()).toMatchObject({ deleted: 0, skipped: 2 })
    expect(scene.count('DELE')).toBe(0)
  })

  test('is undone by a connection lost before QUIT, and done by the next poll without another RETR (P132)', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(2)
    scene.server.faults.onCommand = (verb) => (verb === 'QUIT' ? 'reset' : 'serve')
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', delivered: 2, deleted: 0 })
    scene.server.faults.onCommand = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', deleted: 2 })
    expect(scene.count('RETR')).toBe(2)
    expect(scene.subjects()).toEqual([0, 1])
  })

  test('never happens for a message that a destination did not take', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    sink.faults.dot = ({ bytes }) => (bytes.includes('letter 1') ? '554 5.7.1 no' : null)
    expect(await scene.poll()).toMatchObject({ outcome: 'partial', delivered: 2, refused: 1, deleted: 2 })
    expect(scene.left()).toEqual(['uid-1'])
    expect(sink.messages).toHaveLength(2)
    // Refused for good: not asked for again until its pause is over.
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', refused: 0, delivered: 0 })
    expect(scene.count('RETR')).toBe(3)
  })

  test('does not end the session with QUIT when something retrieved is not delivered and the server says EXPIRE 0 (P129)', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.server.capabilities?.afterLogin.push('EXPIRE 0')
    scene.fill(2)
    sink.faults.rcpt = '451 4.3.0 later'
    expect(await scene.poll()).toMatchObject({ deferred: 2 })
    expect(scene.count('QUIT')).toBe(0)
  })
})

test('no DELE goes out before the message is delivered, whatever else is on the way (P147)', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.fill(20)
  const deliveredAt: number[] = []
  scene.server.faults.onCommand = (verb) => {
    if (verb === 'DELE') deliveredAt.push(scene.mail().length)
    return 'serve'
  }
  await scene.poll()
  expect(deliveredAt).toEqual(upTo(20).map(() => 20))
})

test('a DELE that is refused is reported once, by From and Subject, and counted; the message goes when it may (P131)', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.fill(3)
  scene.server.faults.reply.set('DELE 2', '-ERR [SYS/PERM] Read-only mailbox')
  const reason = 'the server refused to delete it: "[SYS/PERM] Read-only mailbox"'
  const named = { uidl: 'uid-1', from: 'Ada <ada@example.org>', subject: 'letter 1', kind: 'undeletable', reason }
  expect(await scene.poll()).toMatchObject({
    outcome: 'partial',
    delivered: 3,
    deleted: 2,
    undeleted: 1,
    problems: [named],
  })
  scene.server.faults.reply.set('DELE 1', '-ERR [SYS/PERM] Read-only mailbox')
  expect(await scene.poll()).toMatchObject({ outcome: 'partial', deleted: 0, undeleted: 1, problems: [] })
  scene.server.faults.reply.clear()
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 0, deleted: 1, undeleted: 0, problems: [] })
  expect(scene.subjects()).toEqual(upTo(3))
  expect(scene.left()).toEqual([])
})

test('QUIT that is refused, or not answered, leaves deletions outstanding until the next listing tells (P132–P135)', async () => {
  for (const fault of ['refused', 'lost'] as const) {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    scene.server.faults.onCommand = (verb) => (verb !== 'QUIT' ? 'serve' : fault === 'refused' ? '-ERR disk' : 'reset')
    expect(await scene.poll()).toMatchObject({ deleted: 0, undeleted: 3 })
    expect(await scene.undeleted()).toEqual(scene.left())
    scene.server.faults.onCommand = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', deleted: 3, undeleted: 0 })
    expect(scene.left()).toEqual([])
  }
})

test('a deletion that is not wanted any more is not outstanding (P131)', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.fill(2)
  scene.server.faults.reply.set('DELE', '-ERR no')
  expect(await scene.poll()).toMatchObject({ outcome: 'partial', undeleted: 2 })
  scene.account = ['delete: never']
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', undeleted: 0 })
})

test('a deletion that was refused before is tried again, though another message ends every session (P131, P160)', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.fill(3)
  let refuses = true
  scene.server.faults.onCommand = (verb, number) => {
    const uidl = scene.server.mailbox('alice').messages[Number(number) - 1]?.uidl
    if (verb === 'RETR' && uidl === 'uid-2') return 'drop'
    return verb === 'DELE' && uidl === 'uid-1' && refuses ? '-ERR no' : 'serve'
  }
  for (const _ of upTo(2)) await scene.poll()
  expect(scene.left()).toEqual(['uid-1', 'uid-2'])
  refuses = false
  await scene.poll()
  expect(scene.left()).toEqual(['uid-2'])
})

test('a deletion that was refused before is tried again, though the DELE of another ends every session (P131, P159)', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.fill(3)
  let refuses = true
  scene.server.faults.onCommand = (verb, number) => {
    const uidl = scene.server.mailbox('alice').messages[Number(number) - 1]?.uidl
    if (verb === 'DELE' && uidl === 'uid-2') return 'drop'
    return verb === 'DELE' && uidl === 'uid-1' && refuses ? '-ERR no' : 'serve'
  }
  for (const _ of upTo(3)) await scene.poll()
  expect(scene.left()).toEqual(['uid-1', 'uid-2'])
  refuses = false
  await scene.poll()
  expect(scene.left()).toEqual(['uid-2'])
})

test('a server that keeps what it was told to delete is told five times, then a person is, once (P134)', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 24) })
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.server.faults.ignoreDeletes = true
  scene.fill(1)
  for (const at of upTo(5))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', deleted: 1, undeleted: at === 0 ? 0 : 1, problems: [] })
  expect(await scene.poll()).toMatchObject({ deleted: 0, problems: [{ uidl: 'uid-0', kind: 'undeletable' }] })
  expect(await scene.poll()).toMatchObject({ deleted: 0, problems: [], undeleted: 1 })
  // Once a day, without a word, and looked at before; when the server is mended it goes.
  for (const _ of upTo(2)) {
    vi.setSystemTime(Date.now() + 23 * HOUR_MS)
    expect(await scene.poll()).toMatchObject({ deleted: 0, problems: [] })
    vi.setSystemTime(Date.now() + HOUR_MS)
    expect(await scene.poll()).toMatchObject({ deleted: 1, problems: [] })
    expect(await scene.poll()).toMatchObject({ deleted: 0, problems: [], undeleted: 1 })
  }
  scene.server.faults.ignoreDeletes = false
  vi.setSystemTime(Date.now() + 24 * HOUR_MS)
  await scene.poll()
  expect(scene.left()).toEqual([])
  expect(scene.subjects()).toEqual([0])
})
