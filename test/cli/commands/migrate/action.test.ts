// `popfetch migrate` as a child process: from the URL of a mailbox, and from an account of the configuration.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ImapServer } from '../../../support/imap-server.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { BIN, ended, startNode, type Ended } from '../../child.ts'

const PASSWORD = 'correct/horse+battery"ö'

let directory: string
let server: Pop3Server
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-migrate-'))
  server = await Pop3Server.start()
  server.mailbox('alice@example.net', PASSWORD)
  await writeFile(join(directory, 'secret'), `${PASSWORD}\n`, { mode: 0o600 })
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

const start = (...args: string[]) => startNode(directory, [BIN, 'migrate', ...args])
const migrate = (...args: string[]): Promise<Ended> => ended(start(...args))
const from = () => `pop3://alice@example.net@127.0.0.1:${server.port}?tls=none`

function fill(count: number, user = 'alice@example.net'): void {
  for (let i = 1; i <= count; i++) {
    server.mailbox(user).add(`From: a@example.org\nSubject: ${i}\n\nbody ${i}\n`, { uidl: `uid-${i}` })
  }
}

const delivered = async (path = 'old'): Promise<number> =>
  (await readdir(join(directory, path, 'new')).catch(() => [])).length

describe('from a URL', () => {
  test('everything is moved, the verdict is one line, a report is written, and no configuration is needed', async () => {
    fill(3)
    const options = ['--password-file', 'secret', '--report', 'report.json']
    const { code, stdout, stderr } = await migrate(from(), 'maildir:old', ...options)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^alice_example\.net_127\.0\.0\.1: 3 of 3 messages are in ~\/old, verified \(\d+ B, .+\)\n$/)
    expect(await delivered()).toBe(3)
    const report: unknown = JSON.parse(await readFile(join(directory, 'report.json'), 'utf8'))
    expect(report).toMatchObject({ ok: true, accounts: [{ outcome: 'ok', messages: 3, verified: 3, unmoved: [] }] })
    const [ledger = ''] = (await readdir(join(directory, 'popfetch', 'migrations'))).filter((name) =>
      name.endsWith('.db'),
    )
    expect(ledger).toMatch(/^[0-9a-f]{24}\.db$/)
  })

  test('--json is one object', async () => {
    fill(2)
    const { code, stdout } = await migrate(from(), 'maildir:old', '--password-command', 'cat secret', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, accounts: [{ verified: 2 }] })
  })

  test('a password in the URL is refused and not repeated', async () => {
    const url = `pop3://alice:hunter2@127.0.0.1:${server.port}?tls=none`
    const { code, stdout, stderr } = await migrate(url, 'maildir:old')
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toContain('no password in a URL')
    expect(stderr).not.toContain('hunter2')
  })

  test('without a terminal a password must come from somewhere', async () => {
    const { code, stderr } = await migrate(from(), 'maildir:old')
    expect(code).toBe(64)
    expect(stderr).toContain('--password-env NAME')
  })

  test.each([
    ['http://example.net', 'maildir:old', 'pop3s://user@host'],
    ['pop3s://example.net', 'maildir:old', 'a user'],
    ['pop3s://a@exa mple', 'maildir:old', 'as its host'],
    ['pop3s://a@b', 'gopher://b', 'maildir:PATH'],
    ['pop3s://a@b', 'smtp://b', 'a recipient'],
  ])('%s → %s is wrong usage', async (source, to, text) => {
    const { code, stderr } = await migrate(source, to, '--password-file', 'secret')
    expect(code).toBe(64)
    expect(stderr).toContain(text)
  })

  test('a refused password ends it, with its own exit code', async () => {
    await writeFile(join(directory, 'secret'), 'wrong', { mode: 0o600 })
    const { code, stdout } = await migrate(from(), 'maildir:old', '--password-file', 'secret')
    expect(code).toBe(77)
    expect(stdout).toContain('sign-in refused')
    expect(stdout).toContain(`To try again: popfetch migrate '${from()}' maildir:old --password-file secret`)
  })

  test('Ctrl-C lets it end cleanly and say how to go on; started again it goes on', async () => {
    // More than may be under way at once.
    fill(900)
    let retrieved = 0
    server.faults.onCommand = (verb) => {
      if (verb === 'RETR' && ++retrieved === 30) child.kill('SIGINT')
      return 'serve'
    }
    const child = start(from(), 'maildir:old', '--password-file', 'secret')
    const { code, stdout } = await ended(child)
    expect(code).toBe(130)
    expect(stdout).toContain(' of 900 messages are in ~/old so far')
    expect(stdout).toContain('To go on: popfetch migrate ')
    expect(await delivered()).toBeLessThan(900)
    const again = await migrate(from(), 'maildir:old', '--password-file', 'secret')
    expect(again.stdout).toContain('900 of 900 messages are in ~/old, verified')
    expect(await delivered()).toBe(900)
  })
})

describe('to an IMAP folder by URL', () => {
  let imap: ImapServer
  beforeEach(async () => {
    imap = await ImapServer.start()
    await writeFile(join(directory, 'to-secret'), 'secret\n', { mode: 0o600 })
  })
  afterEach(() => imap[Symbol.asyncDispose]())

  const to = () => `imap://me@127.0.0.1:${imap.port}/Old`
  const secrets = ['--password-file', 'secret', '--to-password-file', 'to-secret']

  test('it is moved and verified, with a password for each side', async () => {
    fill(3)
    const { code, stdout, stderr } = await migrate(from(), to(), ...secrets, '--delete')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain(`3 of 3 messages are in imap 127.0.0.1:${imap.port} Old, verified`)
    expect(stdout).toContain('3 deleted from the server')
    expect(imap.folder('Old').messages).toHaveLength(3)
    expect(server.mailbox('alice@example.net').messages).toHaveLength(0)
  })

  test('without a terminal the password of TO must come from somewhere, and one of neither side is in the URL', async () => {
    const alone = await migrate(from(), to(), '--password-file', 'secret')
    expect(alone.code).toBe(64)
    expect(alone.stderr).toContain('--to-password-env NAME')
    const open = await migrate(from(), `imap://me:hunter2@127.0.0.1:${imap.port}`, ...secrets)
    expect(open.code).toBe(64)
    expect(open.stderr).not.toContain('hunter2')
  })

  test('a wrong password there ends it with 77', async () => {
    fill(1)
    await writeFile(join(directory, 'to-secret'), 'wrong-one', { mode: 0o600 })
    const { code, stdout } = await migrate(from(), to(), ...secrets)
    expect(code).toBe(77)
    expect(stdout).not.toContain('wrong-one')
  })

  test('options that go with a user, a certificate or a proof are refused without them', async () => {
    const maildir = await migrate(from(), 'maildir:old', ...secrets)
    expect([maildir.code, maildir.stderr]).toEqual([64, expect.stringContaining('a URL that has a user')])
    const plain = await migrate(from(), to(), ...secrets, '--to-ca', 'ca.pem')
    expect([plain.code, plain.stderr]).toEqual([64, expect.stringContaining('as its ca no such key with tls: none')])
    const smtp = await migrate(from(), 'smtp://127.0.0.1?to=a@example.net', '--password-file', 'secret', '--delete')
    expect([smtp.code, smtp.stderr]).toEqual([64, expect.stringContaining('--delete needs a destination')])
  })

  test('what is unfinished is listed, and goes on by --resume, from wherever', async () => {
    fill(5)
    imap.answer = ({ command }) =>
      command === 'APPEND' && imap.folder('Old').messages.length === 2 ? 'NO [NOPERM] no more' : null
    const first = await migrate(from(), to(), ...secrets)
    expect(first.code).toBe(73)
    const listed = await migrate('--list')
    expect([listed.code, listed.stderr]).toEqual([0, ''])
    expect(listed.stdout).toContain(`${from()} → ${to()}: begun `)
    expect(listed.stdout).toContain('--to-password-file to-secret')
    const json = JSON.parse((await migrate('--list', '--json')).stdout) as { migrations: object[] }
    expect(json).toMatchObject({ ok: true, migrations: [{ from: from(), to: to(), messages: expect.any(Number) }] })
    imap.answer = () => null
    const { code, stdout } = await migrate('--resume', from())
    expect([code, stdout]).toEqual([0, expect.stringContaining('5 of 5 messages')])
    expect(imap.folder('Old').messages).toHaveLength(5)
    expect((await migrate('--list')).stdout).toBe('there is no unfinished migration\n')
    expect(await migrate('--resume')).toMatchObject({ code: 64, stderr: expect.stringContaining('no migration is') })
  })

  test('of several, --resume wants to know which, and lists them', async () => {
    fill(2)
    imap.answer = ({ command }) => (command === 'APPEND' ? 'NO [NOPERM] no more' : null)
    await migrate(from(), to(), ...secrets)
    await migrate(from(), `imap://me@127.0.0.1:${imap.port}/Other`, ...secrets)
    const { code, stderr } = await migrate('--resume')
    expect(code).toBe(64)
    expect(stderr).toContain('/Old')
    expect(stderr).toContain('/Other')
    expect(stderr).toContain('2 migrations are unfinished')
  })
})

describe('from the configuration', () => {
  beforeEach(async () => {
    const account = (user: string) => ({ host: '127.0.0.1', port: server.port, tls: 'none', user, password: 'secret' })
    const configuration = {
      accounts: {
        one: { ...account('one'), deliver: 'inbox' },
        two: { ...account('two'), deliver: 'inbox' },
      },
      destinations: { inbox: { type: 'maildir', path: '{account}' }, archive: { type: 'maildir', path: 'archive' } },
    }
    await writeFile(join(directory, 'config.json'), JSON.stringify(configuration), { mode: 0o600 })
    fill(2, 'one')
    fill(3, 'two')
  })

  const config = () => ['--config', join(directory, 'config.json')]

  test('an account goes to a destination by name, and what was fetched before does not come again', async () => {
    expect((await migrate('one', 'archive', ...config())).stdout).toMatch(/^one: 2 of 2 messages are in ~\/archive/)
    server.mailbox('one').add('Subject: x\n\nx\n', { uidl: 'uid-x' })
    const { code, stdout } = await migrate('one', 'maildir:later', ...config())
    expect(code).toBe(0)
    expect(stdout).toMatch(/^one: 1 of 1 message are in ~\/later, verified \(.*\); 2 fetched before\n$/)
  })

  test('--every moves all of them, each to where it delivers, with a verdict for each and one for all', async () => {
    const { code, stdout } = await migrate('--every', ...config())
    expect(code).toBe(0)
    expect(stdout).toContain('one: 2 of 2 messages are in ~/one, verified')
    expect(stdout).toContain('two: 3 of 3 messages are in ~/two, verified')
    expect(stdout).toContain('all: 2 of 2 accounts are moved, 5 of 5 messages')
    expect([await delivered('one'), await delivered('two')]).toEqual([2, 3])
  })

  test('unknown names are refused', async () => {
    expect(await migrate('eno', 'archive', ...config())).toMatchObject({ code: 64 })
    const { code, stderr } = await migrate('one', 'archiv', ...config())
    expect(code).toBe(64)
    expect(stderr).toContain('did you mean "archive"?')
  })
})
