// `popfetch state retry`, `forget`, `rename` and `backup`, on a ledger that polls of the fake server have written.
import { readFile, stat, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLedger } from '../../../../src/ledger/sqlite/open.ts'
import { SmtpSink } from '../../../support/smtp-server.ts'
import { Scene } from '../../scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.start()
})
afterEach(() => scene[Symbol.asyncDispose]())

describe('state forget', () => {
  test('makes the next poll fetch a message again', async () => {
    scene.fill('uid-1', 'uid-2')
    await scene.popfetch()
    const said = 'work: 1 message forgotten; the next poll fetches it again if still on the server\n'
    expect(await scene.answered('state', 'forget', 'work', 'uid-2')).toBe(said)
    await scene.popfetch()
    expect(await scene.mail()).toBe(3)
  })

  test('of more than one message wants --yes, and forgets nothing without it', async () => {
    scene.fill('uid-1', 'uid-2')
    await scene.popfetch()
    for (const args of [['uid-1', 'uid-2'], ['--all-messages']]) {
      const { code, stderr } = await scene.popfetch('state', 'forget', 'work', ...args)
      expect(code).toBe(64)
      expect(stderr).toContain('forgetting 2 messages of work: ')
      expect(stderr).toContain('add --yes')
    }
    expect(await scene.answered('state', 'list', 'work')).toContain('uid-1')
    expect(await scene.json('state', 'forget', 'work', 'uid-1', 'uid-2', '--yes')).toEqual({
      ok: true,
      account: 'work',
      forgotten: 2,
      removed: false,
    })
    await scene.popfetch()
    expect(await scene.mail()).toBe(4)
  })

  test('forgets nothing when one of several UIDLs is unknown', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    expect((await scene.popfetch('state', 'forget', 'work', 'uid-1', 'uid-9', '--yes')).code).toBe(64)
    expect(await scene.answered('state', 'list', 'work')).toContain('uid-1')
  })

  test('refuses while another popfetch is at work on the account', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    await using ledger = await openLedger(scene.path('state.db'))
    {
      await using lease = await ledger.lease('work')
      expect(lease).not.toBeNull()
      const { code, stderr } = await scene.popfetch('state', 'forget', 'work', 'uid-1')
      expect(code).toBe(75)
      expect(stderr).toContain('another popfetch is polling it: try again when it is done')
    }
    expect((await scene.popfetch('state', 'forget', 'work', 'uid-1')).code).toBe(0)
  })

  test('of all messages of an account that is no longer configured removes the account', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    await scene.configure({ other: { user: 'bob' } })
    expect(await scene.answered('state', 'forget', 'work', '--all-messages', '--yes')).toContain('and the account')
    expect(await scene.json('status')).toMatchObject({ accounts: [{ account: 'other' }] })
  })
})

describe('state retry', () => {
  test('makes what is held due at the next poll, and nothing twice', async () => {
    await scene.configure({ work: { maxSize: '1KB' } })
    scene.server.mailbox('alice').add(`Subject: a\r\n\r\n${'x'.repeat(2000)}\r\n`, { uidl: 'large' })
    scene.fill('uid-1')
    await scene.popfetch()
    await scene.configure({ work: {} })
    expect(await scene.answered('state', 'retry', 'work', '--refused')).toBe('nothing is waiting\n')
    expect(await scene.answered('state', 'retry', '--held')).toBe('work: 1 message due at the next poll\n')
    await scene.popfetch()
    expect(await scene.mail()).toBe(2)
    expect(await scene.json('state', 'retry')).toEqual({
      ok: true,
      accounts: [{ account: 'work', due: 0 }],
      destinations: [],
    })
  })

  test('makes what a destination refused or deferred due, and ends its rest', async () => {
    await using sink = await SmtpSink.start()
    const next = { type: 'smtp', host: '127.0.0.1', port: sink.port, to: 'bob@example.net', concurrency: 1 }
    await scene.configure({ work: { deliver: 'next' } }, { destinations: { next } })
    sink.faults.dot = () => Promise.resolve('554 5.6.0 malformed')
    scene.fill('uid-1')
    expect((await scene.popfetch()).code).toBe(75)
    sink.faults.dot = () => Promise.resolve('450 4.7.28 no more today')
    scene.fill('uid-2')
    expect((await scene.popfetch()).code).toBe(75)
    expect((await scene.popfetch()).code).toBe(75)
    const offered = sink.connections
    sink.faults.dot = null
    expect((await scene.popfetch()).code).toBe(75)
    expect(sink.connections).toBe(offered)
    const said = 'work: 2 messages due at the next poll\nnext: will be tried at the next poll\n'
    expect(await scene.answered('state', 'retry', 'work')).toBe(said)
    expect((await scene.popfetch()).code).toBe(0)
    expect(sink.messages).toHaveLength(2)
  })

  test('of a part of them leaves the destination alone', async () => {
    await using sink = await SmtpSink.start()
    const next = { type: 'smtp', host: '127.0.0.1', port: sink.port, to: 'bob@example.net', concurrency: 1 }
    await scene.configure({ work: { deliver: 'next' } }, { destinations: { next } })
    sink.faults.mail = '450 4.7.28 too much'
    scene.fill('uid-1')
    await scene.popfetch()
    expect(await scene.json('state', 'retry', '--held', '--refused')).toMatchObject({ destinations: [] })
    expect(await scene.json('state', 'retry')).toMatchObject({ destinations: ['next'] })
  })

  test('refuses an unknown account, and one that is being polled, and changes nothing', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    const { code, stderr } = await scene.popfetch('state', 'retry', 'work', 'hom')
    expect([code, stderr]).toEqual([64, expect.stringContaining('"hom"')])
    await using ledger = await openLedger(scene.path('state.db'))
    await using lease = await ledger.lease('work')
    expect(lease).not.toBeNull()
    expect((await scene.popfetch('state', 'retry')).code).toBe(75)
  })
})

describe('state rename', () => {
  test('is what a poll asks for when an account got another name, and lets it go on', async () => {
    scene.fill('uid-1', 'uid-2')
    await scene.popfetch()
    await scene.configure({ office: {} })
    const { code, stderr } = await scene.popfetch()
    expect(code).toBe(78)
    const command = /popfetch (state rename work office)/.exec(stderr)?.[1] ?? ''
    expect(await scene.answered(...command.split(' '))).toBe('work is office now, with 2 messages\n')
    scene.fill('uid-3')
    expect(await scene.json('office')).toMatchObject({ accounts: [{ listed: 3, delivered: 1, skipped: 2 }] })
    expect(await scene.mail()).toBe(3)
  })

  test('refuses a name that has messages, a name that no account can have, and an unknown account', async () => {
    scene.server.mailbox('bob', 'secret').add('Subject: b\r\n\r\nb\r\n', { uidl: 'b' })
    await scene.configure({ work: {}, home: { user: 'bob' } })
    scene.fill('uid-1')
    await scene.popfetch()
    for (const [args, text] of [
      [['work', 'home'], 'messages of home are already known'],
      [['work', 'status'], 'this is the name of a popfetch command'],
      [['work', 'work'], 'both names are the same'],
      [['wrok', 'new'], 'did you mean "work"?'],
    ] as const) {
      const { code, stderr } = await scene.popfetch('state', 'rename', ...args)
      expect(code).toBe(64)
      expect(stderr).toContain(text)
    }
  })

  test('of a destination is what a poll asks for when it got another name, and lets its messages go on (S041)', async () => {
    scene.fill('uid-1')
    const inbox = { type: 'maildir', path: 'Mail' }
    const old = { type: 'maildir', path: 'missing/Mail', create: false }
    await scene.configure({ work: { deliver: ['inbox', 'old'] } }, { destinations: { inbox, old } })
    await scene.popfetch()
    const other = { type: 'maildir', path: 'Other' }
    await scene.configure({ work: { deliver: ['inbox', 'other'] } }, { destinations: { inbox, other } })
    const { code, stderr } = await scene.popfetch('--verbose')
    expect(code).toBe(73)
    expect(stderr).toContain('popfetch state rename --destination old NEW')
    const said = 'the destination old is other now, with 1 record\n'
    expect(await scene.answered('state', 'rename', '--destination', 'old', 'other')).toBe(said)
    expect((await scene.popfetch('state', 'rename', '--destination', 'old', 'other')).code).toBe(64)
    expect(await scene.json('work')).toMatchObject({ accounts: [{ outcome: 'ok', delivered: 1 }] })
    expect(await scene.mail()).toBe(1)
  })

  test('refuses while either account is at work', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    await using ledger = await openLedger(scene.path('state.db'))
    for (const name of ['work', 'office']) {
      await using lease = await ledger.lease(name)
      expect(lease).not.toBeNull()
      expect((await scene.popfetch('state', 'rename', 'work', 'office')).code).toBe(75)
    }
  })
})

describe('state backup', () => {
  test('copies the ledger into a file of its own, from which popfetch goes on', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    expect(await scene.json('state', 'backup', 'copy.db')).toEqual({ ok: true, file: scene.path('copy.db') })
    expect((await stat(scene.path('copy.db'))).mode & 0o777).toBe(0o600)
    expect(await scene.json('--state', 'copy.db')).toMatchObject({ accounts: [{ delivered: 0, skipped: 1 }] })
  })

  test('overwrites nothing: 74', async () => {
    await scene.popfetch()
    await writeFile(scene.path('copy.db'), 'mine')
    const { code, stderr } = await scene.popfetch('state', 'backup', 'copy.db')
    expect(code).toBe(74)
    expect(stderr).toContain('a file of this name already exists: use another name')
    expect(await readFile(scene.path('copy.db'), 'utf8')).toBe('mine')
  })
})

describe('state restore', () => {
  test('puts a copy back; a poll then asks before it sends on again what the copy does not know (S047)', async () => {
    await using sink = await SmtpSink.start()
    const next = { type: 'smtp', host: '127.0.0.1', port: sink.port, to: 'bob@example.net', concurrency: 1 }
    await scene.configure({ work: { deliver: 'next' } }, { destinations: { next } })
    scene.fill('uid-1')
    await scene.popfetch()
    await scene.answered('state', 'backup', 'copy.db')
    scene.fill('uid-2')
    await scene.popfetch()
    expect(sink.messages).toHaveLength(2)
    const { code, stdout } = await scene.popfetch('state', 'restore', 'copy.db')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^the ledger .*state\.db was restored from .*copy\.db: 1 message of 1 account; the one before is .*state\.db\.before-restore-/,
    )
    for (let polls = 0; polls < 2; polls++) {
      const refused = await scene.popfetch()
      expect([refused.code, sink.messages.length]).toEqual([78, 2])
      // Told once.
      if (polls === 0) expect(refused.stderr).toContain('popfetch --yes work')
    }
    expect((await scene.popfetch('--yes', 'work')).code).toBe(0)
    expect(sink.messages).toHaveLength(3)
    // It is asked once.
    scene.fill('uid-3')
    expect((await scene.popfetch()).code).toBe(0)
  })

  test('asks nothing where the destination shows what it has, and nothing comes twice', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    await scene.answered('state', 'backup', 'copy.db')
    scene.fill('uid-2')
    await scene.popfetch()
    const { kept, ...said } = (await scene.json('state', 'restore', 'copy.db')) as Record<string, unknown>
    expect(kept).toContain('before-restore')
    expect(said).toMatchObject({ ok: true, accounts: 1, messages: 1 })
    scene.fill('uid-3')
    expect((await scene.popfetch()).code).toBe(0)
    expect(await scene.mail()).toBe(3)
  })

  test('of what is no copy is 74, while a popfetch has the ledger open 75; both change nothing', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    await writeFile(scene.path('copy.db'), 'mine')
    const { code, stderr } = await scene.popfetch('state', 'restore', 'copy.db')
    expect([code, stderr]).toEqual([74, expect.stringContaining('nothing was changed')])
    await scene.answered('state', 'backup', 'other.db')
    await using ledger = await openLedger(scene.path('state.db'))
    const busy = await scene.popfetch('state', 'restore', 'other.db')
    expect([busy.code, busy.stderr]).toEqual([75, expect.stringContaining('popfetch stop')])
    expect((await ledger.account('work'))?.known).toBe(1)
  })
})
