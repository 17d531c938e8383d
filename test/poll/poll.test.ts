// A whole poll, from sign-in to QUIT, where all goes well.
import { describe, expect, test } from 'vitest'
import { SmtpSink } from '../support/smtp-server.ts'
import { letter, Scene, upTo } from './scene.ts'

describe('a poll into a Maildir', () => {
  test('brings each message once, with one Received field on top and else byte for byte', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 3, new: 3, delivered: 3, error: null })
    const bodies = scene.mail().map((text) => text.replace(/^Received: [^\n]*\n\t[^\n]*\n/, ''))
    expect(bodies.sort()).toEqual(upTo(3).map((at) => letter(at).replaceAll('\r\n', '\n')))
  })

  test('fetches nothing a second time and asks for nothing more than the lists', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.poll()
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 3, new: 0, delivered: 0, skipped: 3 })
    expect(scene.count('RETR')).toBe(3)
    expect(scene.left()).toHaveLength(3)
    expect(scene.server.journal.commands(2).map((line) => line.split(' ')[0])).toEqual([
      'CAPA',
      'AUTH',
      'CAPA',
      'LIST',
      'UIDL',
      'QUIT',
    ])
  })

  test('brings 300 messages in a pipeline and deletes them after delivery, at QUIT', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(300)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 300, deleted: 300 })
    expect(scene.subjects()).toEqual(upTo(300))
    expect(scene.left()).toEqual([])
  })

  test('works without PIPELINING, one command at a time', async () => {
    await using scene = await Scene.create()
    scene.account = ['pipelining: off', 'delete: after-delivery']
    scene.fill(20)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 20, deleted: 20 })
    expect(scene.subjects()).toEqual(upTo(20))
  })

  test('works with a server that knows no CAPA (P031)', async () => {
    await using scene = await Scene.create()
    scene.server.capabilities = null
    scene.fill(2)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  })

  test('delivers two messages that share a UIDL, and neither again (P095)', async () => {
    await using scene = await Scene.create()
    for (const at of [0, 1]) scene.server.mailbox('alice').add(letter(at), { uidl: 'same' })
    await scene.poll()
    await scene.poll()
    expect(scene.subjects()).toEqual([0, 1])
  })
})

describe('several destinations', () => {
  test('each gets its copy, and DELE waits for all', async () => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      `next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: [bob@example.net, eve@example.net] }`,
    ]
    scene.deliver = '[inbox, next]'
    scene.account = ['delete: after-delivery']
    scene.fill(3)
    sink.faults.rcpt = (address) => (address === 'eve@example.net' ? '451 4.3.0 later' : null)
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', delivered: 0, deferred: 3, deleted: 0 })
    sink.faults.rcpt = null
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 3, deleted: 3 })
    expect(scene.subjects()).toEqual(upTo(3))
    const recipients = sink.messages.flatMap(({ to }) => to).sort()
    expect(recipients).toEqual([...upTo(3).map(() => 'bob@example.net'), ...upTo(3).map(() => 'eve@example.net')])
  })

  test('one that is down delays only its own copies', async () => {
    await using scene = await Scene.create()
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      'other: { type: maildir, path: nowhere/other, create: false }',
    ]
    scene.deliver = '[inbox, other]'
    scene.fill(2)
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', deferred: 2 })
    expect(scene.subjects()).toEqual([0, 1])
    scene.destinations = [
      'inbox: { type: maildir, path: inbox }',
      'other: { type: maildir, path: nowhere/other, create: true }',
    ]
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(scene.subjects()).toEqual([0, 1])
    expect(scene.subjects('nowhere/other')).toEqual([0, 1])
  })
})
