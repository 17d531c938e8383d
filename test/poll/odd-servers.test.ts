// What real servers do otherwise than the RFCs say, in listings, deletions and messages: nothing is lost, nothing comes twice.
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { caFile } from '../support/certificates.ts'
import { letter, Scene, upTo } from './scene.ts'

describe('a listing that does not show all there is', () => {
  test('from one of two back ends that are not in step costs nothing and brings nothing twice (P005)', async () => {
    await using scene = await Scene.create()
    scene.fill(4)
    const last = scene.server.mailbox('alice').messages.at(-1)
    for (const turn of upTo(6)) {
      last!.hidden = turn % 2 === 1
      expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: turn === 0 ? 4 : 0 })
    }
    expect(scene.subjects()).toEqual(upTo(4))
  })

  test('and shows one message of its own instead, as Courier does on a full disk, costs nothing (P099)', async () => {
    await using scene = await Scene.create()
    scene.fill(30)
    await scene.poll()
    const mailbox = scene.server.mailbox('alice')
    const full = mailbox.messages.splice(0)
    mailbox.add('Subject: letter 99\r\n\r\nthe disk is full\r\n', { uidl: 'ENOMEM-1795531821' })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
    mailbox.messages.splice(0, 1, ...full)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', listed: 30, delivered: 0 })
    expect(scene.subjects()).toEqual([...upTo(30), 99])
  })
})

test('a poll says little: one LIST and one UIDL before any DELE, no STAT, RSET or LAST, short lines (P081, P082, P102, P140, P151)', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  scene.fill(30)
  await scene.poll()
  const commands = scene.server.journal.commands()
  const verbs = commands.map((line) => line.split(' ')[0])
  expect(new Set(verbs)).toEqual(new Set(['AUTH', 'CAPA', 'DELE', 'LIST', 'QUIT', 'RETR', 'UIDL']))
  expect(verbs.filter((verb) => verb === 'LIST' || verb === 'UIDL')).toEqual(['LIST', 'UIDL'])
  expect(verbs.indexOf('DELE')).toBeGreaterThan(verbs.indexOf('UIDL'))
  expect(Math.max(...commands.map((line) => line.length))).toBeLessThanOrEqual(40)
})

describe('mail of any shape comes as it is', () => {
  test('random bytes, and every byte there is (P118)', async () => {
    await using scene = await Scene.create()
    scene.destinations = ['inbox: { type: maildir, path: inbox, trace: false, lineEndings: crlf }']
    const every = Buffer.from(upTo(256))
    const messages = [every, Buffer.concat([Buffer.from('Subject: \xff\xfe\r\n\r\n', 'latin1'), randomBytes(5000)])]
    for (const message of messages) scene.server.mailbox('alice').add(Buffer.concat([message, Buffer.from('\r\n')]))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
    expect(scene.mail().sort()).toEqual(messages.map((message) => `${message.toString('latin1')}\r\n`).sort())
  })

  test('a line of twenty megabytes (P119)', async () => {
    await using scene = await Scene.create()
    scene.destinations = ['inbox: { type: maildir, path: inbox, trace: false, lineEndings: crlf }']
    const message = scene.server.mailbox('alice').add({ sizeBytes: 20_000_000, singleLine: true })
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1, bytes: 20_000_000 })
    expect(Buffer.from(scene.mail()[0] ?? '', 'latin1').equals(message.bytes)).toBe(true)
  })

  test('nothing at all, a header only, no header, no blank line, a fold first, From first (P121)', async () => {
    await using scene = await Scene.create()
    scene.destinations = ['inbox: { type: maildir, path: inbox, trace: false, lineEndings: crlf }']
    const shapes = [
      '',
      'A: 1\r\n',
      '\r\nbody\r\n',
      'nothing\r\n',
      ' fold\r\nA: 1\r\n\r\n',
      'From x y\r\nA: 1\r\n\r\nb\r\n',
    ]
    for (const shape of shapes) scene.server.mailbox('alice').add(Buffer.from(shape))
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 6 })
    expect(scene.mail().sort()).toEqual(shapes.sort())
  })
})

test('the end of TLS in a message, without a goodbye, is a cut like any other (P015)', async () => {
  await using scene = await Scene.create({ tls: 'implicit' })
  scene.account = [`ca: ${caFile}`]
  scene.server.mailbox('alice').add({ sizeBytes: 200_000 }, { uidl: 'large' })
  scene.server.faults.cutAfterBytes = 100_000
  scene.server.faults.cutTimes = 1
  expect(await scene.poll()).toMatchObject({ outcome: 'failed', delivered: 0, error: { code: 'ERR_CONNECT' } })
  expect(scene.mail()).toEqual([])
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
})

test('mail with the same UIDL as another of another size is another, whoever chose the UIDL (P096)', async () => {
  await using scene = await Scene.create()
  scene.fill(2)
  await scene.poll()
  scene.server.mailbox('alice').add(`X-UIDL: uid-0\r\n${letter(2)}`, { uidl: 'uid-0' })
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(scene.subjects()).toEqual(upTo(3))
})
