// Names of folders as servers have them: delimiters, namespaces, levels that are empty, and what is filled in.
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ImapConfig } from '../../../src/deliver/imap/settings.ts'
import { ImapServer, type ImapServerOptions } from '../../support/imap-server.ts'
import { attempt, failure, message, never, SMALL } from '../scene.ts'
import { imapAt } from './imap-settings.ts'

const DOT: ImapServerOptions = { prefix: 'INBOX.', delimiter: '.' }
const SLASH: ImapServerOptions = { prefix: '', delimiter: '/' }
const BELOW: ImapServerOptions = { prefix: 'INBOX/', delimiter: '/' }
const BACKSLASH: ImapServerOptions = { prefix: '', delimiter: '\\' }
const FLAT: ImapServerOptions = { prefix: '', delimiter: '' }
const SHARED: ImapServerOptions = { ...DOT, otherNamespaces: '(("user." ".")) (("shared." "."))' }

/** The folder in which a message is in the end. */
async function placeOf(options: ImapServerOptions, keys: Partial<ImapConfig>): Promise<string> {
  const server = await ImapServer.start(options)
  const imap = imapAt(server.port, keys)
  onTestFinished(async () => {
    await imap[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  await imap.ready(never)
  const delivered = attempt()
  await imap.deliver(delivered, message(SMALL), never)
  // What looks for it goes to the same folder.
  expect(await imap.recall(delivered, never)).not.toBeNull()
  expect(await imap.space?.(never)).toBeDefined()
  const found = [...server.folders].filter(([, { messages }]) => messages.length > 0)
  expect(found).toHaveLength(1)
  expect([...server.folders.keys()].filter((name) => name !== 'INBOX')).toEqual(
    found[0]?.[0] === 'INBOX' ? [] : [found[0]?.[0]],
  )
  return found[0]?.[0] ?? ''
}

describe('a folder called', () => {
  test.each<[string, string, ImapServerOptions, string]>([
    ['INBOX', 'whatever it is called elsewhere', DOT, 'INBOX'],
    ['inbox', 'in any case', SLASH, 'INBOX'],
    ['INBOX/', 'with an empty level', DOT, 'INBOX'],
    ['Old', 'below the namespace', DOT, 'INBOX.Old'],
    ['Old/2026', 'with levels', SLASH, 'Old/2026'],
    ['Old/2026', 'with levels', DOT, 'INBOX.Old.2026'],
    ['Old/2026', 'with levels', BELOW, 'INBOX/Old/2026'],
    ['Old/2026', 'with levels', BACKSLASH, 'Old\\2026'],
    ['Old/2026', 'where there are no levels', FLAT, 'Old/2026'],
    ['Old.2026', 'as the server has it', DOT, 'INBOX.Old.2026'],
    ['INBOX.Old', 'as the server has it', DOT, 'INBOX.Old'],
    ['Inbox/Old', 'below the inbox', DOT, 'INBOX.Old'],
    ['inbox.old', 'below the inbox', DOT, 'INBOX.old'],
    ['inbox\\old', 'below the inbox', BACKSLASH, 'INBOX\\old'],
    ['inboxes', 'that only begins like it', DOT, 'INBOX.inboxes'],
    ['Old//2026', 'with an empty level', SLASH, 'Old/2026'],
    ['Old/', 'with an empty level', SLASH, 'Old'],
    ['/Old', 'with an empty level', SLASH, 'Old'],
    ['Old/', 'with an empty level', DOT, 'INBOX.Old'],
    ['Old..2026.', 'with empty levels', DOT, 'INBOX.Old.2026'],
    ['shared.team', 'that is shared', SHARED, 'shared.team'],
    ['shared/team', 'that is shared', SHARED, 'shared.team'],
    ['user.bob', 'of somebody else', SHARED, 'user.bob'],
    ['shareds', 'that only begins like that', SHARED, 'INBOX.shareds'],
    ['a "b" \\c', 'with signs of the protocol', SLASH, 'a "b" \\c'],
    ['A & B', 'with an ampersand', SLASH, 'A &- B'],
    ['(x) {3} %*', 'with other signs of the protocol', SLASH, '(x) {3} %*'],
    ['~peter/mail/台北/日本語', 'beyond ASCII (RFC 3501 5.1.3)', SLASH, '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
  ])('%s, %s', async (folder, _, options, place) => {
    expect(await placeOf(options, { folder })).toBe(place)
  })

  test.each(['.', '...'])('%s has no name on a server with levels there (73)', async (folder) => {
    const server = await ImapServer.start(DOT)
    const imap = imapAt(server.port, { folder })
    onTestFinished(async () => {
      await imap[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })
    expect(await failure(imap.ready(never))).toMatchObject({ exit: 73, ofFolder: true })
    expect([...server.folders.keys()]).toEqual(['INBOX'])
  })
})

test('a special use is found outside of the namespace, too, and what the server says goes before what a name looks like', async () => {
  const server = await ImapServer.start({ ...SHARED, capabilities: 'UIDPLUS NAMESPACE AUTH=PLAIN SPECIAL-USE' })
  const imap = imapAt(server.port, { folder: '\\junk' })
  onTestFinished(async () => {
    await imap[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  server.folder('INBOX.Junk')
  server.folder('shared.unwanted').specialUse = '\\Junk'
  await imap.ready(never)
  await imap.deliver(attempt(), message(SMALL), never)
  expect(server.folder('shared.unwanted').messages).toHaveLength(1)
})

describe('a folder that is there only as the parent of others', () => {
  /** Courier says no more than that it cannot be opened, and lists it. */
  async function parent(created: 'OK' | 'NO it exists', keys: Partial<ImapConfig> = {}) {
    const server = await ImapServer.start(DOT)
    const imap = imapAt(server.port, { folder: 'Old', ...keys })
    onTestFinished(async () => {
      await imap[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })
    server.folder('INBOX.Old')
    let isFolder = false
    server.answer = ({ command, rest }) => {
      if (command === 'CREATE' && created !== 'OK') return created
      isFolder ||= command === 'CREATE'
      return command === 'STATUS' && rest.includes('Old') && !isFolder ? 'NO Mailbox does not exist.' : null
    }
    return { server, imap }
  }

  test('is made a folder', async () => {
    const { server, imap } = await parent('OK')
    await imap.ready(never)
    await imap.deliver(attempt(), message(SMALL), never)
    expect(server.folder('INBOX.Old')).toMatchObject({ subscribed: true, messages: { length: 1 } })
  })

  test('and cannot be made one, is told in the words that came first (73)', async () => {
    const { imap } = await parent('NO it exists')
    const error = await failure(imap.ready(never))
    expect(error).toMatchObject({ exit: 73, ofFolder: true })
    expect(error.message).toContain('Mailbox does not exist.')
  })

  test('is left alone with create: false', async () => {
    const { server, imap } = await parent('OK', { create: false })
    expect(await failure(imap.ready(never))).toMatchObject({ exit: 73 })
    expect(server.said.filter((line) => line.includes('CREATE'))).toEqual([])
  })
})

test.each(['drop', 'lost', '* BYE going down'])(
  'a folder that was made, and not subscribed (%s), is subscribed the next time, and not again when it has had mail',
  async (how) => {
    const server = await ImapServer.start(DOT)
    const imap = imapAt(server.port, { folder: 'Old' })
    onTestFinished(async () => {
      await imap[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })
    let cuts = 0
    // imapflow says it after CREATE, and we do.
    server.answer = ({ command }) => (command === 'SUBSCRIBE' && cuts++ < 1 ? how : null)
    const subscribed = (): number => server.said.filter((line) => line.includes('SUBSCRIBE')).length
    await failure(imap.ready(never))
    await imap.ready(never)
    expect(server.folder('INBOX.Old').subscribed).toBe(true)
    await imap.deliver(attempt(), message(SMALL), never)
    const before = subscribed()
    await imap.ready(never)
    expect(subscribed()).toBe(before)
  },
)

describe('what is filled in is one level', () => {
  const at = (mailbox: string, account = 'gmx.de') => ({ filling: { account, mailbox } })

  test.each<[string, ImapServerOptions, string, string]>([
    ['People/{local}', DOT, 'anna.berg@example.org', 'INBOX.People.anna,berg'],
    ['People/{local}', SLASH, 'anna.berg@example.org', 'People/anna.berg'],
    ['{domain}/{local}', DOT, 'anna.berg@x.example.org', 'INBOX.x,example,org.anna,berg'],
    ['People.{recipient}', DOT, 'anna@example.org', 'INBOX.People.anna@example,org'],
    ['Old/{account}', DOT, 'anna@example.org', 'INBOX.Old.gmx,de'],
    ['Old/{account}', SLASH, 'anna@example.org', 'Old/gmx.de'],
    ['{local}', FLAT, 'anna.berg@example.org', 'anna.berg'],
  ])('%s', async (folder, options, mailbox, place) => {
    expect(await placeOf(options, { folder, ...at(mailbox) })).toBe(place)
  })

  test.each(['.', '-', '_'])('so two addresses share no folder where levels are parted by %s', async (sign) => {
    const options = { prefix: '', delimiter: sign }
    const addresses = [`anna@x${sign}example.org`, `anna${sign}x@example.org`, 'anna,x@example.org']
    const places = await Promise.all(
      addresses.map((each) => placeOf(options, { folder: '{local}/{domain}', ...at(each) })),
    )
    expect(new Set(places).size).toBe(3)
  })

  test('nobody who writes to inbox@ gets into the inbox', async () => {
    expect(await placeOf(SLASH, { folder: '{local}', ...at('Inbox@example.org') })).toMatch(/^inbox=[0-9a-f]{16}$/)
    expect(await placeOf(DOT, { folder: '{local}', ...at('inbox@example.org') })).toMatch(/^INBOX\.inbox=[0-9a-f]{16}$/)
    expect(await placeOf(SLASH, { folder: '{account}', ...at('a@b.c', 'INBOX') })).toMatch(/^inbox=/)
  })
})
