// `popfetch import --trial`, `--record-only`, `--finish-trial`, and `state export --as`: beside the old tool, instead of it, and back.
import { readFile, readdir, stat } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLedger } from '../../../../src/ledger/sqlite/open.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { Person } from '../../person.ts'

let person: Person
let server: Pop3Server
beforeEach(async () => {
  person = await Person.arrive()
  server = await Pop3Server.start()
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await person[Symbol.asyncDispose]()
})

const CONFIG = '.config/popfetch/config.yaml'
const LEDGER = '.local/state/popfetch/state.db'

function comes(...uidls: string[]): void {
  const mailbox = server.mailbox('alice', 'pw')
  for (const uidl of uidls)
    mailbox.add(`From: Ada <ada@example.org>\r\nSubject: about ${uidl}\r\nMessage-ID: <${uidl}@x>\r\n\r\nbody\r\n`, {
      uidl,
    })
}

async function rc(keep = 'keep on', more = ''): Promise<void> {
  await person.write(
    '.mpoprc',
    `account a\nhost ${server.host}\nport ${server.port}\nuser alice\npassword pw\n${keep}\ndelivery maildir ~/Mail\n${more}`,
  )
}

/** What mpop has fetched. */
async function fetched(...uidls: string[]): Promise<void> {
  const lines = uidls.map((uidl) => `${uidl} 1700000000\n`).join('')
  await person.write(`.mpop_uidls/alice_at_${server.host}`, ` ${uidls.length} ${server.host} alice\n${lines}`)
}

async function mail(folder: string): Promise<string[]> {
  const files = await readdir(person.path(folder, 'new')).catch(() => [])
  const texts = await Promise.all(files.map((file) => readFile(person.path(folder, 'new', file), 'utf8')))
  return texts.flatMap((text) => /^Subject: about (.*?)\r?$/m.exec(text)?.[1] ?? []).toSorted()
}

async function states(): Promise<Record<string, string>> {
  await using ledger = await openLedger(person.path(LEDGER))
  const found: Record<string, string> = {}
  for await (const slice of ledger.records.list('a', 'all')) for (const { key, state } of slice) found[key.uidl] = state
  return found
}

test('a trial delivers into a Maildir of its own and deletes nothing; its end counts what mpop had as seen and delivers the rest', async () => {
  await rc('keep off')
  await fetched('old')
  comes('old', 'both', 'only-popfetch', 'gone')
  expect(await person.run('import', 'mpop', '--trial')).toBe(0)
  expect(person.stderr.text).toContain('mpop itself deletes what it has fetched (a)')
  const written = await readFile(person.path(CONFIG), 'utf8')
  expect(written).toMatch(/deliver: trial\n {4}tls: none\n {4}delete: never\n/)
  expect(written).toContain('# after the trial: deliver: inbox\n    # after the trial: delete: after-delivery\n')

  expect(await person.run()).toBe(0)
  expect(await mail('Mail/trial/a')).toEqual(['both', 'gone', 'only-popfetch'])
  expect([await mail('Mail'), server.journal.of('dele')]).toEqual([[], []])
  server.mailbox('alice').messages.splice(3, 1)
  expect(await person.run()).toBe(0)
  comes('only-mpop')
  await fetched('old', 'both', 'only-mpop')

  expect(await person.run('import', 'mpop', '--finish-trial')).toBe(0)
  expect(person.stdout.text).toContain('a: both had 1 message of the trial')
  expect(person.stdout.text).toContain('a: only mpop had 1:\n  only-mpop')
  expect(person.stdout.text).toContain(
    'only popfetch had 1, due at the next poll:\n  only-popfetch  Ada <ada@example.org>  about only-popfetch',
  )
  expect(person.stdout.text).toContain('gone from the server, in ~/Mail/trial/a:\n  gone')
  expect(await states()).toEqual({ old: 'seen', both: 'seen', 'only-mpop': 'seen' })
  const after = await readFile(person.path(CONFIG), 'utf8')
  expect(after).toMatch(/deliver: inbox\n {4}tls: none\n {4}delete: after-delivery\n/)
  expect(after).not.toMatch(/trial: deliver|A trial beside|finish-trial/)
  expect(await readFile(person.path(`${CONFIG}.trial`), 'utf8')).toBe(written)
  for (const file of [CONFIG, `${CONFIG}.trial`]) expect((await stat(person.path(file))).mode & 0o777).toBe(0o600)

  expect(await person.run()).toBe(0)
  expect(await mail('Mail')).toEqual(['only-popfetch'])
  expect(server.mailbox('alice').messages.map(({ uidl }) => uidl)).toEqual(['old', 'both', 'only-mpop'])
  // Once more changes nothing: what went to the real destination is not the trial's.
  expect(await person.run('import', 'mpop', '--finish-trial')).toBe(0)
  expect(await person.run()).toBe(0)
  expect(await mail('Mail')).toEqual(['only-popfetch'])
})

test('a trial that is ended twice makes nothing due that went to where it belongs', async () => {
  await rc('keep on')
  await fetched('old')
  comes('old', 'new')
  await person.run('import', 'mpop', '--trial')
  await person.run()
  for (const _ of [1, 2]) {
    expect(await person.run('import', 'mpop', '--finish-trial')).toBe(0)
    expect(await person.run()).toBe(0)
    expect(await mail('Mail')).toEqual(['new'])
  }
})

test('with --take-over what both had is deleted as delete says', async () => {
  await rc('keep off')
  await fetched('old')
  comes('old', 'both')
  await person.run('import', 'mpop', '--trial')
  await person.run()
  await fetched('old', 'both')
  expect(await person.run('import', 'mpop', '--finish-trial', '--take-over')).toBe(0)
  expect(await states()).toEqual({ old: 'delivered', both: 'delivered' })
  expect(await person.run()).toBe(0)
  expect([server.mailbox('alice').messages, await mail('Mail')]).toEqual([[], []])
})

test('a trial whose mailbox has no record is not ended, and nothing is changed', async () => {
  await rc()
  comes('one')
  await person.run('import', 'mpop', '--trial')
  await person.run()
  const before = await readFile(person.path(CONFIG), 'utf8')
  expect(await person.run('import', 'mpop', '--finish-trial')).toBe(78)
  expect(person.stderr.text).toContain('mpop has no record of this mailbox, so 1 message would be delivered again')
  expect([await states(), await readFile(person.path(CONFIG), 'utf8')]).toEqual([{ one: 'delivered' }, before])
})

test('a trial whose lines were changed is not ended, and the line is told', async () => {
  await rc()
  await fetched('one')
  await person.run('import', 'mpop', '--trial')
  const text = await readFile(person.path(CONFIG), 'utf8')
  await person.write(CONFIG, text.replace('deliver: trial', 'deliver: [trial]'))
  expect(await person.run('import', 'mpop', '--finish-trial')).toBe(78)
  expect(person.stderr.text).toMatch(/config\.yaml: line \d+: what the trial wrote above it was changed/)
})

test('a trial that is polled at this moment is not ended: 75', async () => {
  await rc()
  await fetched('one')
  await person.run('import', 'mpop', '--trial')
  await using ledger = await openLedger(person.path(LEDGER))
  await using _ = await ledger.lease('a')
  expect(await person.run('import', 'mpop', '--finish-trial')).toBe(75)
})

test('--record-only reads the record again into the accounts that are there, also under another name', async () => {
  await rc()
  await fetched('one')
  comes('one', 'two')
  await person.run('import', 'mpop')
  await fetched('one', 'two')
  expect(await person.run('import', 'mpop', '--record-only', '--json')).toBe(0)
  expect(JSON.parse(person.stdout.text)).toEqual({ ok: true, accounts: [{ account: 'a', seen: 2 }] })
  expect(await states()).toEqual({ one: 'seen', two: 'seen' })
  const text = await readFile(person.path(CONFIG), 'utf8')
  await person.write(CONFIG, text.replace('  a:\n', '  renamed:\n'))
  expect(await person.run('import', 'mpop', '--record-only')).toBe(0)
  expect(person.stdout.text).toContain('renamed: 2 messages already fetched by mpop')
  await person.write(CONFIG, text.replace('user: alice', 'user: bob'))
  expect(await person.run('import', 'mpop', '--record-only')).toBe(78)
  expect(person.stderr.text).toContain(`alice at ${server.host}: no account`)
})

test.each([
  [['--trial', '--finish-trial'], 'cannot be combined'],
  [['--record-only', '--finish-trial'], 'cannot be combined'],
  [['--trial', '--take-over'], 'a trial deletes nothing'],
  [['--record-only', '--output', 'x'], 'writes no new file'],
])('import mpop %j is wrong usage', async (argv, says) => {
  expect(await person.run('import', 'mpop', ...argv)).toBe(64)
  expect(person.stderr.text).toContain(says)
})

test('state export --as writes what need not be fetched again, and never overwrites', async () => {
  await rc('keep on', 'account b\nhost other.example\nuser bob\ntls off\npassword pw\ndelivery maildir ~/Mail\n')
  await fetched('one')
  comes('one', 'two')
  await person.run('import', 'mpop')
  await person.run('a')
  comes('three')
  expect(await person.run('state', 'export', 'a', '--as', 'mpop')).toBe(0)
  expect(person.stdout.text).toBe(` 2 ${server.host} alice\none\ntwo\n`)
  expect(await person.run('state', 'export', '--as', 'fetchmail', '--output', 'ids')).toBe(0)
  expect(await readFile(person.path('ids'), 'utf8')).toBe(`alice@${server.host} one\nalice@${server.host} two\n`)
  expect((await stat(person.path('ids'))).mode & 0o777).toBe(0o600)
  expect(await person.run('state', 'export', '--as', 'fetchmail', '--output', 'ids')).toBe(78)
  expect(person.stderr.text).toContain('already exists; not overwriting it')
  expect(await person.run('state', 'export', '--output', 'ids2')).toBe(64)
  expect(await person.run('state', 'export', '--as', 'outlook')).toBe(64)
})

test('state export --as: what is not delivered is left to the old tool, and said', async () => {
  await rc()
  comes('good', 'large')
  await person.run('import', 'mpop')
  const text = await readFile(person.path(CONFIG), 'utf8')
  await person.write(CONFIG, text.replace('    delete:', '    maxSize: 1KB\n    delete:'))
  server.mailbox('alice').add(`Subject: x\r\n\r\n${'y'.repeat(3000)}\r\n`, { uidl: 'held' })
  await person.run()
  expect(await person.run('state', 'export', 'a', '--as', 'getmail')).toBe(0)
  expect(person.stdout.text).toMatch(/^good\0\d+\nlarge\0\d+\n$/)
  expect(person.stderr.text).toContain('a: 2 messages that getmail need not fetch; it will fetch 1')
})
