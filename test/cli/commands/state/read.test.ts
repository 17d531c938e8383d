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
    expect(lines[0]).toMatch(/^delivered {2}\d{4}-\S+Z {3,}\d+ B {2}uid-1$/)
    const objects = (await scene.answered('state', 'list', 'work', '--delivered', '--json')).trimEnd().split('\n')
    expect(objects.map((line) => JSON.parse(line))).toMatchObject([
      { account: 'work', uidl: 'uid-1', state: 'delivered', deliveries: [{ destination: 'inbox', state: 'done' }] },
      { uidl: 'odd\\x20uid\\xe9', uidlBase64: Buffer.from('odd uid\u00e9', 'latin1').toString('base64') },
    ])
    expect(await scene.answered('state', 'list', 'work', '--held')).toBe('')
  })

  test('explain tells the story of a message, by its UIDL as printed or as it is', async () => {
    await scene.configure({ work: { delete: '30d' } })
    scene.fill('odd\u00e9')
    await scene.popfetch()
    for (const uidl of ['odd\\xe9', 'odd\u00e9']) {
      const story = await scene.answered('state', 'explain', 'work', uidl)
      expect(story).toMatch(/^work: odd\\xe9: delivered$/m)
      expect(story).toMatch(/^ {2}delivery {4}to inbox: done, 1 attempt, last \S+Z, intent [0-9a-f]{16}$/m)
      expect(story).toMatch(/^ +receipt: .*Mail\/new\//m)
      expect(story).toMatch(/^ {2}next {8}deleted from the server at the first poll after \S+Z, /m)
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
    [['explain', 'work', 'nothing'], 'no message has this UIDL: see popfetch state list work'],
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
