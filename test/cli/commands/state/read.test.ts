// `popfetch state list`, `explain` and `export`, on a ledger that polls of the fake server have written.
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLedger } from '../../../../src/ledger/sqlite/open.ts'
import { leaseOf } from '../../../ledger/scene.ts'
import { Scene } from '../../scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.start()
})
afterEach(() => scene[Symbol.asyncDispose]())

describe('state list and explain', () => {
  test('list has a line for each message, and one of --json an object', async () => {
    scene.fill('uid-1', 'odd uid\u00e9')
    await scene.popfetch()
    const lines = (await scene.answered('state', 'list', 'work')).trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/^delivered {2}\d{4}-\d\d-\d\d \d\d:\d\d {3,}\d+ B {2}uid-1 {2}"uid-1"$/)
    const objects = (await scene.answered('state', 'list', 'work', '--delivered', '--json')).trimEnd().split('\n')
    expect(objects.map((line) => JSON.parse(line))).toMatchObject([
      { account: 'work', uidl: 'uid-1', state: 'delivered', deliveries: [{ destination: 'inbox', state: 'done' }] },
      { uidl: 'odd\\x20uid\\xe9', uidlBase64: Buffer.from('odd uid\u00e9', 'latin1').toString('base64') },
    ])
    expect(await scene.answered('state', 'list', 'work', '--held')).toBe('')
  })

  test('an account that does not exist is no command either, and the nearest is named (B13)', async () => {
    for (const operation of [['list'], ['explain', 'uid-1'], ['forget', 'uid-1'], ['retry']]) {
      const [verb = '', ...words] = operation
      const { code, stderr } = await scene.popfetch('state', verb, 'wrok', ...words)
      expect([code, stderr]).toEqual([
        64,
        'popfetch: no account is called "wrok" (did you mean "work"?); the accounts are work: see popfetch --help\n',
      ])
    }
  })

  test('explain tells the story of a message, by its UIDL as printed or as it is', async () => {
    await scene.configure({ work: { delete: '30d' } })
    scene.fill('odd\u00e9')
    await scene.popfetch()
    for (const uidl of ['odd\\xe9', 'odd\u00e9']) {
      const story = await scene.answered('state', 'explain', 'work', uidl)
      expect(story).toMatch(/^work: odd\\xe9: delivered$/m)
      expect(story).toMatch(
        /^ {2}delivery {4}to inbox: done, 1 attempt, last \d{4}-\d\d-\d\d \d\d:\d\d \S+, intent [0-9a-f]{16}$/m,
      )
      expect(story).toMatch(/^ +receipt: .*Mail\/new\//m)
      expect(story).toMatch(
        /^ {2}next {8}deleted from the server at the first poll after \d{4}-\d\d-\d\d \d\d:\d\d \S+, /m,
      )
    }
  })

  test('explain tells of a deletion that was wanted and did not happen, and why (P131)', async () => {
    await scene.configure({ work: { delete: 'after-delivery' } })
    scene.fill('uid-1')
    scene.server.faults.reply.set('DELE', '-ERR read-only')
    const { code, stderr } = await scene.popfetch()
    expect(code).toBe(75)
    expect(stderr).toContain('not deleted: the server refused to delete it: "read-only"')
    expect(await scene.answered('state', 'explain', 'work', 'uid-1')).toMatch(
      /deletion +wanted since .*, has not happened: the server refused to delete it: "read-only"/,
    )
    expect(await scene.json('state', 'explain', 'work', 'uid-1')).toMatchObject({
      messages: [{ deletion: { tried: 1, reason: 'the server refused to delete it: "read-only"' } }],
    })
  })

  test('explain tells all copies of a UIDL, or one', async () => {
    scene.fill('same', 'same')
    await scene.popfetch()
    expect(await scene.json('state', 'explain', 'work', 'same')).toMatchObject({
      ok: true,
      account: 'work',
      messages: [{ copy: 0, next: expect.stringContaining('delete: never') }, { copy: 1 }],
    })
    expect(await scene.json('state', 'explain', 'work', 'same', '--copy', '1')).toMatchObject({
      messages: [{ copy: 1 }],
    })
  })

  test.each([
    [['list', 'wrok'], 'did you mean "work"?'],
    [['explain', 'work', 'nothing'], 'no message has this UIDL or Message-ID: see popfetch state list work'],
    [['explain', 'work', 'uid-1', '--copy', '3'], 'its copies have the numbers 0'],
  ])('%j is wrong usage', async (args, text) => {
    scene.fill('uid-1')
    await scene.popfetch()
    const { code, stdout, stderr } = await scene.popfetch('state', ...args)
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toContain(text)
  })

  test('export has every account and message, and nothing that was derived from a secret', async () => {
    scene.fill('uid-1', 'uid-2')
    await scene.popfetch()
    const text = await scene.answered('state', 'export')
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
    expect(await scene.answered('state', 'export', 'work')).toBe(text)
  })

  test('a list ends when nobody reads it any more', async () => {
    await using ledger = await openLedger(scene.path('state.db'))
    const lease = await leaseOf(ledger, 'work')
    const held = Array.from({ length: 20_000 }, (_, at) => ({
      key: { uidl: `uid-${at}`, copy: 0 },
      listedBytes: null,
      reason: 'x'.repeat(100),
    }))
    await ledger.hold(lease, held)
    const child = scene.start('state', 'list', 'work')
    await once(child.stdout!, 'data')
    child.stdout?.destroy()
    child.stderr?.destroy()
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe('state find', () => {
  async function deliver(): Promise<void> {
    const mailbox = scene.server.mailbox('alice')
    mailbox.add('From: Ada <ada@example.org>\r\nSubject: Invoice 7\r\nMessage-ID: <7@shop.example>\r\n\r\nx\r\n', {
      uidl: 'u-7',
    })
    mailbox.add('From: =?utf-8?q?Zo=C3=AB?= <z@example.org>\r\nSubject: Caf\u00e9\r\n\r\ny\r\n', { uidl: 'u-8' })
    await scene.popfetch()
  }

  test.each([
    ['invoice', ['u-7']],
    ['ADA', ['u-7']],
    ['7@shop', ['u-7']],
    ['u-8', ['u-8']],
    ['zo\u00eb', ['u-8']],
    ['cafe\u0301', ['u-8']],
    ['example.org', ['u-7', 'u-8']],
    ['body', []],
  ])('%s', async (text, uidls) => {
    await deliver()
    const found = (await scene.answered('state', 'find', text)).split('\n').filter(Boolean)
    expect(found.map((line) => /u-\d/.exec(line)?.[0])).toEqual(uidls)
    for (const line of found) expect(line).toMatch(/^work: delivered /)
  })

  test('shows From and Subject, in JSON one object a line', async () => {
    await deliver()
    expect(await scene.answered('state', 'find', 'u-7')).toContain('u-7  Ada <ada@example.org>, "Invoice 7"')
    expect(await scene.json('state', 'find', 'u-7')).toMatchObject({
      account: 'work',
      from: 'Ada <ada@example.org>',
      subject: 'Invoice 7',
      date: null,
    })
  })

  test('is no usage without a text', async () => {
    expect((await scene.popfetch('state', 'find')).code).toBe(64)
  })

  test.each(['<7@shop.example>', '7@shop.example'])('a Message-ID stands for a UIDL: %s', async (id) => {
    await deliver()
    const story = await scene.answered('state', 'explain', 'work', id)
    expect(story).toContain('work: u-7: delivered')
    expect(story).toMatch(/subject +Invoice 7/)
    expect(await scene.answered('state', 'forget', 'work', id)).toContain('1 message forgotten')
    expect((await scene.popfetch('state', 'explain', 'work', '<8@shop.example>')).stderr).toContain(
      'no message has this UIDL or Message-ID',
    )
  })
})
