// A mailbox that collects the mail of a whole domain: each message goes to the folder or the address of whom it is for.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MOST_MAILBOXES } from '../../../src/poll/route/known-mailboxes.ts'
import { ImapServer } from '../../support/imap-server.ts'
import { SmtpSink } from '../../support/smtp-server.ts'
import { Scene } from '../scene.ts'

const RULE = 'recipient: { header: X-Original-To, domains: [example.org], otherwise: post@example.org }'

function letter(to: string, at: number): string {
  return `X-Original-To: ${to}\r\nFrom: eve@example.com\r\nTo: bob@example.org\r\nMessage-ID: <${at}@x>\r\nSubject: ${at}\r\n\r\nfor ${to}\r\n`
}

async function scene(): Promise<Scene> {
  const opened = await Scene.create()
  onTestFinished(() => opened[Symbol.asyncDispose]())
  opened.account = [RULE, 'first: all']
  opened.destinations = ['inbox: { type: maildir, path: "mail/{local}" }']
  return opened
}

/** The lines `for …` of each folder. */
function folders(opened: Scene): Readonly<Record<string, readonly string[]>> {
  const root = opened.path('mail')
  if (!existsSync(root)) return {}
  return Object.fromEntries(
    readdirSync(root).map((name) => {
      const fresh = path.join(root, name, 'new')
      const texts = existsSync(fresh)
        ? readdirSync(fresh).map((file) => readFileSync(path.join(fresh, file), 'utf8'))
        : []
      return [name, texts.map((text) => /^for (.*)$/m.exec(text)?.[1] ?? '').sort()]
    }),
  )
}

test('500 messages land in the right 40 folders, over polls that are cut short', async () => {
  const opened = await scene()
  const mailbox = opened.server.mailbox('alice')
  const expected: Record<string, string[]> = {}
  for (let at = 0; at < 500; at++) {
    const to = `user${at % 40}@example.org`
    mailbox.add(letter(to, at), { uidl: `uid-${at}` })
    ;(expected[`user${at % 40}`] ??= []).push(to)
  }
  for (let polls = 0; polls < 3; polls++) await opened.poll({ limit: 120 })
  const report = await opened.poll()
  expect(report).toMatchObject({ outcome: 'ok', delivered: 140 })
  const { post, ...others } = folders(opened)
  expect(post).toEqual([])
  expect(others).toEqual(expected)
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', new: 0, delivered: 0 })
}, 120_000)

test('what names several, nobody or somebody elsewhere goes where it is said; each copy of the provider is one message', async () => {
  const opened = await scene()
  const mailbox = opened.server.mailbox('alice')
  for (const [at, to] of [
    'a@example.org, b@example.org',
    '',
    'x@example.com',
    '../x@example.org',
    'a/b@example.org',
  ].entries())
    mailbox.add(letter(to, at), { uidl: `odd-${at}` })
  for (const name of ['anna', 'bob']) mailbox.add(letter(`${name}@example.org`, 9), { uidl: `copy-${name}` })
  mailbox.add(letter('Anna+Shop@example.org', 10), { uidl: 'tag' })
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 8 })
  const found = folders(opened)
  expect(found['post']?.length).toBe(4)
  expect(found['anna']).toEqual(['Anna+Shop@example.org', 'anna@example.org'])
  expect(found['bob']).toEqual(['bob@example.org'])
  expect(Object.keys(found).some((name) => /^a_b=[0-9a-f]{16}$/.test(name))).toBe(true)
})

test('a folder that cannot be made holds up its own mail alone, which comes when it can', async () => {
  const opened = await scene()
  const mailbox = opened.server.mailbox('alice')
  for (const [at, name] of ['anna', 'bob', 'anna', 'cleo'].entries())
    mailbox.add(letter(`${name}@example.org`, at), { uidl: `uid-${at}` })
  await opened.poll({ limit: 1 })
  writeFileSync(opened.path('mail/bob'), 'no folder')
  expect(await opened.poll()).toMatchObject({ outcome: 'partial', delivered: 2, deferred: 1 })
  rmSync(opened.path('mail/bob'))
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(folders(opened)).toMatchObject({ anna: { length: 2 }, bob: ['bob@example.org'], cleo: ['cleo@example.org'] })
})

test('an address read from the message is its RCPT; what a server says of it is the message’s, and nothing is remembered', async () => {
  const opened = await scene()
  const sink = await SmtpSink.start()
  onTestFinished(() => sink[Symbol.asyncDispose]())
  opened.destinations = [`inbox: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: "{local}@in.example" }`]
  const mailbox = opened.server.mailbox('alice')
  const names = ['anna', 'bob', 'cleo', 'dora', 'emil']
  for (const [at, name] of names.entries()) mailbox.add(letter(`${name}@example.org`, at), { uidl: `uid-${at}` })
  sink.faults.rcpt = (to) => (['bob', 'cleo', 'dora'].some((name) => to.startsWith(name)) ? '550 5.1.1 no' : null)
  const report = await opened.poll()
  expect(report).toMatchObject({ outcome: 'partial', delivered: 2, refused: 3 })
  expect(sink.messages.flatMap(({ to }) => to).sort()).toEqual(['anna@in.example', 'emil@in.example'])
})

test('one address for the whole account fills it without a look at the message', async () => {
  const opened = await scene()
  opened.account = ['recipient: Anna@Kunde.example', 'first: all']
  opened.destinations = ['inbox: { type: maildir, path: "mail/{domain}-{local}" }']
  opened.server.mailbox('alice').add(letter('x@example.org', 1), { uidl: 'one' })
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(folders(opened)).toEqual({ 'kunde.example-anna': ['x@example.org'] })
})

test('first-of goes on to the folder of the same address', async () => {
  const opened = await scene()
  const sink = await SmtpSink.start()
  onTestFinished(() => sink[Symbol.asyncDispose]())
  opened.destinations = [
    `out: { type: smtp, host: 127.0.0.1, port: ${sink.port}, to: "{recipient}" }`,
    'box: { type: maildir, path: "mail/{local}" }',
  ]
  opened.deliver = '{ first-of: [out, box] }'
  const mailbox = opened.server.mailbox('alice')
  for (const [at, name] of ['anna', 'bob'].entries())
    mailbox.add(letter(`${name}@example.org`, at), { uidl: `u-${at}` })
  sink.faults.rcpt = (to) => (to.startsWith('bob') ? '550 5.1.1 no' : null)
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 2 })
  expect(sink.messages.flatMap(({ to }) => to)).toEqual(['anna@example.org'])
  expect(folders(opened)['bob']).toEqual(['bob@example.org'])
})

describe('a server without UIDL, where the copies of one message differ only in the field that names the recipient', () => {
  /** Fields of one length, so that sizes tell nothing. */
  const NAMES = ['anna', 'bert', 'cleo']

  async function withoutUidl(keys: readonly string[]): Promise<Scene> {
    const opened = await scene()
    opened.server.faults.reply.set('UIDL', '-ERR what?')
    opened.account = [...opened.account, ...keys]
    for (const name of NAMES) opened.server.mailbox('alice').add(letter(`${name}@example.org`, 9), { uidl: name })
    return opened
  }

  const all = Object.fromEntries(NAMES.map((name) => [name, [`${name}@example.org`]]))
  const delivered = (opened: Scene) => {
    const { post: _, ...others } = folders(opened)
    return others
  }

  test.each([
    ['delete: after-delivery', 1],
    ['delete: after-delivery', 2],
    ['delete: after-delivery', 3],
    ['delete: never', 1],
    ['delete: never', 3],
  ])('gives each of them once: %s, %i a poll', async (keys, limit) => {
    const opened = await withoutUidl([keys])
    for (let polls = 0; polls < 5; polls++) await opened.poll({ limit })
    expect(delivered(opened)).toEqual(all)
    expect(opened.left()).toHaveLength(keys.endsWith('never') ? 3 : 0)
  })

  test.each(NAMES)('loses none where that of %s has to wait while the others leave the server', async (name) => {
    const opened = await withoutUidl(['delete: after-delivery'])
    mkdirSync(opened.path('mail'))
    writeFileSync(opened.path(`mail/${name}`), 'no folder')
    for (let polls = 0; polls < 3; polls++) await opened.poll()
    expect(opened.left()).toEqual([name])
    rmSync(opened.path(`mail/${name}`))
    await opened.poll()
    await opened.poll()
    expect(delivered(opened)).toEqual(all)
    expect(opened.left()).toEqual([])
  })

  test('loses none where somebody else deletes one, and another one comes, while one waits', async () => {
    const opened = await withoutUidl(['delete: never'])
    mkdirSync(opened.path('mail'))
    writeFileSync(opened.path('mail/bert'), 'no folder')
    await opened.poll()
    const mailbox = opened.server.mailbox('alice')
    mailbox.messages.splice(0, 1)
    mailbox.add(letter('dora@example.org', 9), { uidl: 'dora' })
    rmSync(opened.path('mail/bert'))
    for (let polls = 0; polls < 3; polls++) await opened.poll()
    expect(delivered(opened)).toEqual({ ...all, dora: ['dora@example.org'] })
  })
})

test('a copy that comes when that of somebody else was deleted is no old message under a new UID', async () => {
  const opened = await scene()
  opened.account = [...opened.account, 'delete: never']
  const mailbox = opened.server.mailbox('alice')
  for (const [at, name] of ['carl', 'cleo', 'dora', 'anna'].entries())
    mailbox.add(letter(`${name}@example.org`, at), { uidl: `uid-${at}` })
  await opened.poll()
  // Of anna's copy there is nothing left, and bert's has the same header and size.
  mailbox.messages.splice(3, 1)
  mailbox.add(letter('bert@example.org', 3), { uidl: 'uid-9' })
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 1 })
  expect(folders(opened)).toMatchObject({ anna: ['anna@example.org'], bert: ['bert@example.org'] })
  // That of cleo does stand under a new one: its bytes say so.
  mailbox.messages.splice(1, 1)
  mailbox.add(letter('cleo@example.org', 1), { uidl: 'uid-10' })
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 0 })
  expect(folders(opened)).toMatchObject({ cleo: ['cleo@example.org'] })
})

test('addresses that somebody makes up get no folder without end: those of more go where it says otherwise', async () => {
  const opened = await scene()
  const mailbox = opened.server.mailbox('alice')
  mailbox.add(letter('anna@example.org', 0), { uidl: 'uid-0' })
  await opened.poll()
  for (let at = 1; at <= MOST_MAILBOXES + 20; at++) mailbox.add(letter(`x${at}@example.org`, at), { uidl: `uid-${at}` })
  mailbox.add(letter('Anna@example.org', 9_999), { uidl: 'uid-9999' })
  const report = await opened.poll()
  expect(report).toMatchObject({ outcome: 'ok', delivered: MOST_MAILBOXES + 21 })
  const { post = [], anna, ...others } = folders(opened)
  expect(anna).toHaveLength(2)
  expect(post).toHaveLength(21)
  expect(Object.keys(others)).toHaveLength(MOST_MAILBOXES - 1)
  expect(opened.notes.join()).toContain(`${MOST_MAILBOXES} addresses have their own place at inbox`)
}, 120_000)

test('folders of one IMAP server share its connections, however many addresses there are', async () => {
  const imap = await ImapServer.start({ prefix: 'INBOX.', delimiter: '.' })
  onTestFinished(() => imap[Symbol.asyncDispose]())
  const opened = await scene()
  opened.destinations = [
    `inbox: { type: imap, host: 127.0.0.1, port: ${imap.port}, user: me, password: secret, folder: "People/{local}" }`,
  ]
  const mailbox = opened.server.mailbox('alice')
  for (let at = 0; at < 60; at++) mailbox.add(letter(`user${at % 30}@example.org`, at), { uidl: `uid-${at}` })
  expect(await opened.poll()).toMatchObject({ outcome: 'ok', delivered: 60 })
  const counts = [...imap.folders].filter(([name]) => name.startsWith('INBOX.People.user'))
  expect(counts.map(([, { messages }]) => messages.length)).toEqual(Array(30).fill(2))
  expect(imap.peak).toBeLessThanOrEqual(2)
}, 120_000)
