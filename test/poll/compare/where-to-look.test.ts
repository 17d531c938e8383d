// Where delivered messages are looked for under new UIDs, and where not (N048). One test for each decision of few-new-ids.ts that
// another one hides from the tables.
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { KnownMessage } from '../../../src/ledger/ledger.ts'
import { mortal } from '../../support/mortal-ledger.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { letter, Scene, upTo } from '../scene.ts'

async function polled(count: number): Promise<Scene> {
  const scene = await Scene.create()
  scene.fill(count)
  await scene.poll()
  scene.notes.splice(0)
  return scene
}

function renumber(scene: Scene): void {
  for (const message of scene.server.mailbox('alice').messages) message.uidl = `new-${message.uidl}`
}

async function known(scene: Scene, uidl: string): Promise<KnownMessage | null> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  const [message = null] = await ledger.known(scene.name, [{ uidl, copy: 0 }])
  return message
}

const told = (scene: Scene): string[] => scene.notes.filter((note) => note.includes('taken over'))

describe('nothing is looked for a second time where a person said that the UIDs are new', () => {
  test.each([
    ['in the poll in which it was said', true],
    ['in the plain poll that finishes it', false],
  ])('%s', async (_when, isSaid) => {
    await using scene = await polled(5)
    renumber(scene)
    // One is gone, and one is new: nothing in what the person said tells what became of them.
    scene.server.mailbox('alice').messages.splice(0, 1)
    scene.fill(1, 9)
    if (!isSaid) {
      scene.ledgerOf = (ledger) => mortal(ledger, { change: 2, made: false }, ['takeOver', 'rekey'])
      expect(await scene.poll({ acceptNewIds: true })).toMatchObject({ outcome: 'failed' })
      scene.ledgerOf = (ledger) => ledger
    }
    const asked = (): number => scene.server.journal.commands().filter((line) => line === 'TOP 5 0').length
    const before = asked()
    expect(await scene.poll({ acceptNewIds: isSaid })).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(asked() - before).toBe(1)
    expect(scene.subjects()).toEqual([...upTo(5), 9])
  })
})

test('a dry run with --accept-new-ids shows what is known, too', async () => {
  await using scene = await polled(5)
  renumber(scene)
  scene.fill(1, 9)
  expect(await scene.poll({ dryRun: true, acceptNewIds: true })).toMatchObject({ new: 1 })
})

test('nothing is looked at where a look may drop it (EXPIRE 0), and what is not listed says nothing (P161)', async () => {
  await using scene = await Scene.create()
  scene.server.capabilities?.afterLogin.push('EXPIRE 0')
  scene.fill(5)
  await scene.poll()
  scene.server.mailbox('alice').messages.splice(0, 1)
  scene.fill(2, 5)
  expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  expect([scene.count('TOP'), scene.count('RETR')]).toEqual([0, 7])
})

describe('what a listing lacks is recorded as gone', () => {
  test('once all that is unknown in it was looked at, what is too large to fetch counted in', async () => {
    await using scene = await polled(5)
    scene.account = ['maxSize: 1KB']
    scene.server.mailbox('alice').messages.splice(0, 1)
    scene.server.mailbox('alice').add(`${letter(8)}${'x'.repeat(2000)}\r\n`, { uidl: 'large' })
    scene.fill(1, 9)
    expect(await scene.poll()).toMatchObject({ held: 1, delivered: 1 })
    expect((await known(scene, 'uid-0'))?.goneSinceMs).not.toBeNull()
  })

  test('not before: what a limit left may be it', async () => {
    await using scene = await polled(5)
    renumber(scene)
    await scene.poll({ limit: 2 })
    const states = await Promise.all(upTo(5).map((at) => known(scene, `uid-${at}`)))
    expect(states.map((message) => message?.goneSinceMs)).toEqual([undefined, undefined, null, null, null])
  })
})

test('where the header is the key it is not asked for twice', async () => {
  await using scene = await Scene.create()
  scene.server.faults.reply.set('UIDL', '-ERR not implemented')
  scene.fill(4)
  await scene.poll()
  scene.server.mailbox('alice').messages.splice(0, 1)
  scene.fill(1, 9)
  const before = scene.count('TOP')
  expect(await scene.poll()).toMatchObject({ delivered: 1 })
  expect(scene.count('TOP') - before).toBe(4)
})

test('in the mailbox of a whole domain a copy for somebody else is another message, though it has the same header', async () => {
  await using scene = await Scene.create()
  await using sink = await SmtpSink.start()
  scene.account = ['recipient: { header: X-Original-To, domains: [example.net], otherwise: post@example.net }']
  scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: "{recipient}" }`]
  scene.deliver = 'next'
  const mailbox = scene.server.mailbox('alice')
  const copyFor = (name: string): string => `X-Original-To: ${name}@example.net\r\n${letter(1)}`
  mailbox.add(copyFor('ann'), { uidl: 'ann' })
  scene.fill(2, 5)
  await scene.poll()
  mailbox.messages.splice(0, 1)
  mailbox.add(copyFor('eve'), { uidl: 'eve' })
  expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
  expect(sink.messages.flatMap(({ to }) => to)).toContain('eve@example.net')
})

test('a message with the header and size of one that we deleted is new', async () => {
  await using scene = await Scene.create()
  scene.account = ['delete: after-delivery']
  const mailbox = scene.server.mailbox('alice')
  const bodied = (end: string): string => letter(0).replace('the end of 0', `the end of ${end}`)
  mailbox.add(bodied('A'), { uidl: 'a' })
  await scene.poll()
  scene.account = []
  scene.fill(3, 5)
  await scene.poll()
  // Somebody else deletes one: so it is looked for.
  mailbox.messages.splice(0, 1)
  mailbox.add(bodied('B'), { uidl: 'b' })
  expect(await scene.poll()).toMatchObject({ new: 1, delivered: 1 })
  expect(scene.mail().filter((text) => text.includes('the end of B'))).toHaveLength(1)
})

test('what the server notes in the header of a message itself does not make it another one (P128)', async () => {
  await using scene = await polled(3)
  const mailbox = scene.server.mailbox('alice')
  const messages = mailbox.messages.splice(0)
  for (const { uidl, bytes } of messages)
    mailbox.add(`Status: RO\r\n${bytes.toString('latin1')}`, { uidl: `new-${uidl}` })
  expect(await scene.poll()).toMatchObject({ new: 0, delivered: 0 })
  expect(scene.subjects()).toEqual(upTo(3))
})

describe('it is told what became of them', () => {
  test.each([
    [1, '1 known message has a new UID: taken over, with its record'],
    [3, '3 known messages have new UIDs: taken over, with their records'],
  ])('where not all are delivered: %d', async (count, line) => {
    await using scene = await Scene.create()
    await using sink = await SmtpSink.start()
    sink.faults.dot = '554 5.7.1 no'
    scene.destinations = [`next: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: bob@example.net }`]
    scene.deliver = 'next'
    scene.fill(count)
    await scene.poll()
    renumber(scene)
    expect(await scene.poll()).toMatchObject({ new: 0 })
    expect(told(scene)).toEqual([line])
  })
})
