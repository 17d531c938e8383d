// `popfetch status` and `popfetch state` as child processes, on a ledger that polls of the fake server have written.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLedger } from '../../../../src/ledger/sqlite/open.ts'
import { Pop3Server } from '../../../support/pop3-server.ts'
import { BIN, ended, startNode } from '../../child.ts'
import { leaseOf } from '../../../ledger/scene.ts'

let directory: string
let server: Pop3Server
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'popfetch-state-'))
  server = await Pop3Server.start()
  server.mailbox('alice', 'secret')
  await configure({ work: {} })
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

async function configure(accounts: Readonly<Record<string, object>>, rest: object = {}): Promise<void> {
  const { host, port } = server
  const usual = { host, port, tls: 'none', user: 'alice', password: 'secret', deliver: 'inbox' }
  const configuration = {
    accounts: Object.fromEntries(Object.entries(accounts).map(([name, keys]) => [name, { ...usual, ...keys }])),
    destinations: { inbox: { type: 'maildir', path: 'Mail' } },
    state: 'state.db',
    ...rest,
  }
  await writeFile(join(directory, 'config.json'), JSON.stringify(configuration), { mode: 0o600 })
}

const start = (...args: string[]) => startNode(directory, [BIN, '--config', join(directory, 'config.json'), ...args])
const popfetch = (...args: string[]) => ended(start(...args))

async function answered(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await popfetch(...args)
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

async function json(...args: string[]): Promise<unknown> {
  return JSON.parse(await answered(...args, '--json'))
}

function fill(...uidls: readonly string[]): void {
  for (const uidl of uidls) server.mailbox('alice').add(`Subject: ${uidl}\r\n\r\nbody\r\n`, { uidl })
}

const mail = async (): Promise<number> => (await readdir(join(directory, 'Mail', 'new')).catch(() => [])).length

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const DAEMON = { running: false, pid: null, since: null }

describe('status', () => {
  test('of accounts that were never polled has them all, and makes no ledger', async () => {
    expect(await json('status')).toEqual({
      ok: true,
      accounts: [
        {
          account: 'work',
          lastPoll: null,
          lastSuccess: null,
          nextPoll: null,
          held: 0,
          refused: 0,
          failures: 0,
          error: null,
        },
      ],
      daemon: DAEMON,
    })
    expect(await readdir(directory)).toEqual(['config.json'])
  })

  test('tells how polls went, what is held, and which accounts are not configured any more', async () => {
    await configure({ work: { maxSize: '1KB' } })
    fill('uid-1')
    server.mailbox('alice').add(`Subject: large\r\n\r\n${'x'.repeat(2000)}\r\n`, { uidl: 'large' })
    await popfetch()
    await configure({ other: { user: 'bob' } })
    await popfetch()
    expect(await json('status')).toMatchObject({
      ok: true,
      accounts: [
        { account: 'other', lastSuccess: null, failures: 1, error: { code: 'ERR_AUTH' } },
        { account: 'work', lastPoll: expect.stringMatching(ISO), lastSuccess: expect.stringMatching(ISO), held: 1 },
      ],
    })
    const table = await answered('status')
    expect(table).toMatch(/^! {2}other .*failed, /m)
    expect(table).toMatch(/^ {3}work .* {2}not in the configuration$/m)
    expect(table).toMatch(/^work: message large: held back: too large: \d+ bytes, maxSize is 1000$/m)
    expect(table).not.toContain('\u001b')
  })

  test('of one account leaves out the others; an unknown one is wrong usage', async () => {
    await configure({ work: {}, home: {} })
    expect(await json('status', 'home')).toMatchObject({ accounts: [{ account: 'home' }] })
    const { code, stderr } = await popfetch('status', 'hone')
    expect(code).toBe(64)
    expect(stderr).toContain('did you mean "home"?')
  })

  test('works when the rest of the configuration is broken, and says that it is', async () => {
    fill('uid-1')
    await popfetch()
    await configure({ work: {} }, { colour: 'red' })
    const { code, stdout, stderr } = await popfetch('status')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ {3}work .*ok, /m)
    expect(stderr).toMatch(/^popfetch: warning: reading the configuration .*see popfetch config check\n$/)
    expect(stderr.split('\n')).toHaveLength(2)
  })

  test('works with nothing but --state', async () => {
    await popfetch()
    const child = startNode(directory, [BIN, 'status', '--state', 'state.db'])
    const { code, stdout, stderr } = await ended(child)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/work .*ok, /)
  })

  test('of a ledger that is none is 74', async () => {
    await writeFile(join(directory, 'state.db'), 'x'.repeat(5000))
    expect((await popfetch('status')).code).toBe(74)
  })
})

describe('state list and explain', () => {
  test('list has a line for each message, and one of --json an object', async () => {
    fill('uid-1', 'odd uid\u00e9')
    await popfetch()
    const lines = (await answered('state', 'list', 'work')).trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/^delivered {2}\d{4}-\S+Z {3,}\d+ B {2}uid-1$/)
    const objects = (await answered('state', 'list', 'work', '--delivered', '--json')).trimEnd().split('\n')
    expect(objects.map((line) => JSON.parse(line))).toMatchObject([
      { account: 'work', uidl: 'uid-1', state: 'delivered', deliveries: [{ destination: 'inbox', state: 'done' }] },
      { uidl: 'odd\\x20uid\\xe9', uidlBase64: Buffer.from('odd uid\u00e9', 'latin1').toString('base64') },
    ])
    expect(await answered('state', 'list', 'work', '--held')).toBe('')
  })

  test('explain tells the story of a message, by its UIDL as printed or as it is', async () => {
    await configure({ work: { delete: '30d' } })
    fill('odd\u00e9')
    await popfetch()
    for (const uidl of ['odd\\xe9', 'odd\u00e9']) {
      const story = await answered('state', 'explain', 'work', uidl)
      expect(story).toMatch(/^work: odd\\xe9: delivered$/m)
      expect(story).toMatch(/^ {2}delivery {4}to inbox: done, 1 attempt, last \S+Z, intent [0-9a-f]{16}$/m)
      expect(story).toMatch(/^ +receipt: .*Mail\/new\//m)
      expect(story).toMatch(/^ {2}next {8}deleted from the server at the first poll after \S+Z, /m)
    }
  })

  test('explain tells all copies of a UIDL, or one', async () => {
    fill('same', 'same')
    await popfetch()
    expect(await json('state', 'explain', 'work', 'same')).toMatchObject({
      ok: true,
      account: 'work',
      messages: [{ copy: 0, next: expect.stringContaining('delete: never') }, { copy: 1 }],
    })
    expect(await json('state', 'explain', 'work', 'same', '--copy', '1')).toMatchObject({ messages: [{ copy: 1 }] })
  })

  test.each([
    [['list', 'wrok'], 'did you mean "work"?'],
    [['explain', 'work', 'nothing'], 'no message has this UIDL: see popfetch state list work'],
    [['explain', 'work', 'uid-1', '--copy', '3'], 'its copies have the numbers 0'],
  ])('%j is wrong usage', async (args, text) => {
    fill('uid-1')
    await popfetch()
    const { code, stdout, stderr } = await popfetch('state', ...args)
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toContain(text)
  })

  test('export has every account and message, and nothing that was derived from a secret', async () => {
    fill('uid-1', 'uid-2')
    await popfetch()
    const text = await answered('state', 'export')
    const objects = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string })
    expect(objects).toMatchObject([
      { kind: 'account', account: 'work', user: 'alice', messages: 2 },
      { kind: 'message', account: 'work', uidl: 'uid-1', digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
      { kind: 'message', uidl: 'uid-2' },
    ])
    expect(text).not.toMatch(/salt|secretMark/)
    expect(await answered('state', 'export', 'work')).toBe(text)
  })

  test('a list ends when nobody reads it any more', async () => {
    await using ledger = await openLedger(join(directory, 'state.db'))
    const lease = await leaseOf(ledger, 'work')
    const held = Array.from({ length: 20_000 }, (_, at) => ({
      key: { uidl: `uid-${at}`, copy: 0 },
      listedBytes: null,
      reason: 'x'.repeat(100),
    }))
    await ledger.hold(lease, held)
    const child = start('state', 'list', 'work')
    await once(child.stdout!, 'data')
    child.stdout?.destroy()
    child.stderr?.destroy()
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe('state forget', () => {
  test('makes the next poll fetch a message again', async () => {
    fill('uid-1', 'uid-2')
    await popfetch()
    const said = 'work: 1 message forgotten, new to the next poll that finds them on the server\n'
    expect(await answered('state', 'forget', 'work', 'uid-2')).toBe(said)
    await popfetch()
    expect(await mail()).toBe(3)
  })

  test('of more than one message wants --yes, and forgets nothing without it', async () => {
    fill('uid-1', 'uid-2')
    await popfetch()
    for (const args of [['uid-1', 'uid-2'], ['--all-messages']]) {
      const { code, stderr } = await popfetch('state', 'forget', 'work', ...args)
      expect(code).toBe(64)
      expect(stderr).toContain('forgetting 2 messages of work: ')
      expect(stderr).toContain('add --yes')
    }
    expect(await answered('state', 'list', 'work')).toContain('uid-1')
    expect(await json('state', 'forget', 'work', 'uid-1', 'uid-2', '--yes')).toEqual({
      ok: true,
      account: 'work',
      forgotten: 2,
      removed: false,
    })
    await popfetch()
    expect(await mail()).toBe(4)
  })

  test('forgets nothing when one of several UIDLs is unknown', async () => {
    fill('uid-1')
    await popfetch()
    expect((await popfetch('state', 'forget', 'work', 'uid-1', 'uid-9', '--yes')).code).toBe(64)
    expect(await answered('state', 'list', 'work')).toContain('uid-1')
  })

  test('refuses while another popfetch is at work on the account', async () => {
    fill('uid-1')
    await popfetch()
    await using ledger = await openLedger(join(directory, 'state.db'))
    {
      await using lease = await ledger.lease('work')
      expect(lease).not.toBeNull()
      const { code, stderr } = await popfetch('state', 'forget', 'work', 'uid-1')
      expect(code).toBe(75)
      expect(stderr).toContain('another popfetch is at work on it: try again when it is done')
    }
    expect((await popfetch('state', 'forget', 'work', 'uid-1')).code).toBe(0)
  })

  test('of all messages of an account that is not configured any more removes the account', async () => {
    fill('uid-1')
    await popfetch()
    await configure({ other: { user: 'bob' } })
    expect(await answered('state', 'forget', 'work', '--all-messages', '--yes')).toContain('and the account')
    expect(await json('status')).toMatchObject({ accounts: [{ account: 'other' }] })
  })
})

describe('state rename', () => {
  test('is what a poll asks for when an account got another name, and lets it go on', async () => {
    fill('uid-1', 'uid-2')
    await popfetch()
    await configure({ office: {} })
    const { code, stderr } = await popfetch()
    expect(code).toBe(78)
    const command = /popfetch (state rename work office)/.exec(stderr)?.[1] ?? ''
    expect(await answered(...command.split(' '))).toBe('work is office now, with 2 messages\n')
    fill('uid-3')
    expect(await json('office')).toMatchObject({ accounts: [{ listed: 3, delivered: 1, skipped: 2 }] })
    expect(await mail()).toBe(3)
  })

  test('refuses a name that has messages, a name that no account can have, and an unknown account', async () => {
    server.mailbox('bob', 'secret').add('Subject: b\r\n\r\nb\r\n', { uidl: 'b' })
    await configure({ work: {}, home: { user: 'bob' } })
    fill('uid-1')
    await popfetch()
    for (const [args, text] of [
      [['work', 'home'], 'messages of home are known already'],
      [['work', 'status'], 'this is a command of popfetch'],
      [['work', 'work'], 'both names are the same'],
      [['wrok', 'new'], 'did you mean "work"?'],
    ] as const) {
      const { code, stderr } = await popfetch('state', 'rename', ...args)
      expect(code).toBe(64)
      expect(stderr).toContain(text)
    }
  })

  test('refuses while either account is at work', async () => {
    fill('uid-1')
    await popfetch()
    await using ledger = await openLedger(join(directory, 'state.db'))
    for (const name of ['work', 'office']) {
      await using lease = await ledger.lease(name)
      expect(lease).not.toBeNull()
      expect((await popfetch('state', 'rename', 'work', 'office')).code).toBe(75)
    }
  })
})

describe('state backup', () => {
  test('copies the ledger into a file of its own, from which popfetch goes on', async () => {
    fill('uid-1')
    await popfetch()
    expect(await json('state', 'backup', 'copy.db')).toEqual({ ok: true, file: join(directory, 'copy.db') })
    expect((await stat(join(directory, 'copy.db'))).mode & 0o777).toBe(0o600)
    expect(await json('--state', 'copy.db')).toMatchObject({ accounts: [{ delivered: 0, skipped: 1 }] })
  })

  test('overwrites nothing: 74', async () => {
    await popfetch()
    await writeFile(join(directory, 'copy.db'), 'mine')
    const { code, stderr } = await popfetch('state', 'backup', 'copy.db')
    expect(code).toBe(74)
    expect(stderr).toContain('there is a file of this name already: name another')
    expect(await readFile(join(directory, 'copy.db'), 'utf8')).toBe('mine')
  })
})
