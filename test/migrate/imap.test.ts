// A migration into an IMAP folder: what counts as verified there, what is compared before it begins, and what breaks.
import { expect, onTestFinished, test } from 'vitest'
import { ImapServer, type ImapServerOptions } from '../support/imap-server.ts'
import { Scene } from './scene.ts'

async function scene(options: ImapServerOptions = {}, keys = '') {
  const imap = await ImapServer.start(options)
  const at = await Scene.create()
  onTestFinished(async () => {
    await at[Symbol.asyncDispose]()
    await imap[Symbol.asyncDispose]()
  })
  at.destination = `inbox: { type: imap, host: 127.0.0.1, port: ${imap.port}, user: me, password: secret${keys} }`
  return { at, imap }
}

/** How many whole messages were asked for. */
function readAgain({ said }: ImapServer): number {
  return said
    .filter((line) => /BODY(?:\.PEEK)?\[\]/i.test(line))
    .reduce((sum, line) => sum + (/UID FETCH (\S+)/i.exec(line)?.[1]?.split(',').length ?? 0), 0)
}

function third({ inbox }: ImapServer): number {
  return inbox.messages.findIndex(({ bytes }) => bytes.includes('Subject: letter 3'))
}

test('one in fifty is read again; all are there by name and length', async () => {
  const { at, imap } = await scene()
  at.fill(60)
  expect(await at.migrate()).toMatchObject({ outcome: 'ok', messages: 60, verified: 60, read: 2, readAgain: true })
  expect(readAgain(imap)).toBe(2)
  expect(imap.inbox.messages).toHaveLength(60)
})

test('with --delete all are read again before any is deleted', async () => {
  const { at, imap } = await scene()
  at.fill(60)
  let readBefore = 0
  at.server.faults.onCommand = (verb) => {
    if (verb === 'DELE' && readBefore === 0) readBefore = readAgain(imap)
    return 'serve'
  }
  expect(await at.migrate({ options: { delete: true } })).toMatchObject({ outcome: 'ok', deleted: 60, read: 60 })
  expect(readBefore).toBe(60)
  expect(at.left()).toEqual([])
})

test.each([
  ['is gone', (imap: ImapServer) => void imap.inbox.messages.splice(third(imap), 1), 'is no longer in'],
  [
    'was cut',
    (imap: ImapServer) => {
      const { messages } = imap.inbox
      const message = messages[third(imap)]
      if (message !== undefined) messages[third(imap)] = { ...message, bytes: message.bytes.subarray(0, -4) }
    },
    'is not byte for byte',
  ],
])('a message that %s there is not verified', async (_, spoil, reason) => {
  const { at, imap } = await scene()
  at.fill(6)
  expect(await at.migrate()).toMatchObject({ outcome: 'ok', verified: 6 })
  spoil(imap)
  const report = await at.migrate({ options: { delete: true } })
  expect(report).toMatchObject({ outcome: 'partial', verified: 5, deleted: 5, unmovedCount: 1 })
  expect(report.unmoved[0]?.reason).toContain(reason)
  expect(at.left()).toEqual(['uid-3'])
})

test('a message that a person moved within the folder is found under its new UID', async () => {
  const { at, imap } = await scene()
  at.fill(5)
  await at.migrate()
  const [first] = imap.inbox.messages.splice(0, 1)
  if (first !== undefined) imap.inbox.messages.push({ ...first, uid: imap.inbox.uidNext++ })
  expect(await at.migrate()).toMatchObject({ outcome: 'ok', verified: 5 })
})

test('less room than mail stops it before anything is fetched (78), and --yes goes on', async () => {
  const { at, imap } = await scene({ capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN QUOTA' })
  at.fill(20)
  imap.quota = { resource: 'STORAGE', usage: 99, limit: 100 }
  const report = await at.migrate()
  expect(report).toMatchObject({ outcome: 'failed', error: { code: 'ERR_NO_SPACE', retry: 'never' } })
  expect(report.error?.message).toMatch(
    /^20 messages of \d kB are to come, and imap .* has room for 1 kB: .*add --yes$/,
  )
  expect(at.count('RETR')).toBe(0)
  expect(await at.migrate({ options: { limit: 2 } })).toMatchObject({ outcome: 'ok', verified: 2 })
  expect(await at.migrate({ options: { yes: true } })).toMatchObject({ outcome: 'ok', verified: 20 })
})

test.each([
  ['messages are counted, too', { resource: 'MESSAGE', usage: 5, limit: 24 } as const, 'failed'],
  ['as much as there is will do', { resource: 'MESSAGE', usage: 5, limit: 25 } as const, 'ok'],
  ['no quota stops nothing', null, 'ok'],
])('%s', async (_, quota, outcome) => {
  const { at, imap } = await scene({ capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN QUOTA' })
  at.fill(20)
  imap.quota = quota
  expect(await at.migrate()).toMatchObject({ outcome })
})

test('with --delete the whole mailbox is compared, not the first batch of it', async () => {
  const { at, imap } = await scene({ capabilities: 'LITERAL+ UIDPLUS NAMESPACE AUTH=PLAIN QUOTA' })
  at.fill(2100)
  imap.quota = { resource: 'MESSAGE', usage: 0, limit: 2050 }
  expect(await at.migrate({ options: { delete: true } })).toMatchObject({ error: { code: 'ERR_NO_SPACE' } })
})
