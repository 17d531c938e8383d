// `popfetch status`, on a ledger that polls of the fake server have written.
import { readdir, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BIN, ended, startNode } from '../../child.ts'
import { Scene } from '../../scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.start()
})
afterEach(() => scene[Symbol.asyncDispose]())

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const DAEMON = { running: false, pid: null, since: null, version: null }

describe('status', () => {
  test('of accounts that were never polled has them all, with what waits (B17), and makes no ledger', async () => {
    expect(await scene.json('status')).toEqual({
      ok: true,
      accounts: [
        {
          account: 'work',
          lastPoll: null,
          lastSuccess: null,
          nextPoll: null,
          enabled: true,
          outcome: null,
          since: null,
          pausedUntil: null,
          because: null,
          next: null,
          waiting: 0,
          undeleted: 0,
          held: 0,
          refused: 0,
          failures: 0,
          error: null,
        },
      ],
      accountsFrom: null,
      daemon: DAEMON,
      destinations: [],
      late: [],
      machines: [],
      missed: [],
      paused: [],
      signIns: [],
    })
    expect(await readdir(scene.directory)).toEqual(['config.json'])
  })

  test('tells how polls went, what is held, and which accounts are no longer configured', async () => {
    await scene.configure({ work: { maxSize: '1KB' } })
    scene.fill('uid-1')
    scene.server.mailbox('alice').add(`Subject: large\r\n\r\n${'x'.repeat(2000)}\r\n`, { uidl: 'large' })
    await scene.popfetch()
    expect(await scene.answered('status')).toMatch(
      /^work: message large \("large"\): held back: too large: \d+ bytes, maxSize is 1000\n {2}next: popfetch state list work --held$/m,
    )
    await scene.configure({ other: { user: 'bob' } })
    await scene.popfetch()
    expect(await scene.json('status')).toMatchObject({
      ok: true,
      accounts: [
        { account: 'other', lastSuccess: null, failures: 1, error: { code: 'ERR_AUTH' } },
        { account: 'work', lastPoll: expect.stringMatching(ISO), lastSuccess: expect.stringMatching(ISO), held: 1 },
      ],
    })
    const table = await scene.answered('status')
    expect(table).toMatch(/^! {2}other .*failed, /m)
    expect(table).toMatch(/^ {3}work .* {2}not in the configuration$/m)
    expect(table).not.toContain('\u001b')
  })

  test('of an account tells its last ten polls, the newest first, in words and as JSON; of all it does not', async () => {
    await scene.configure({ work: {} })
    scene.fill('uid-1')
    await scene.popfetch()
    scene.server.mailbox('alice').password = 'another'
    await scene.popfetch()
    const { accounts } = (await scene.json('status', 'work')) as { accounts: readonly [{ polls: readonly object[] }] }
    expect(accounts[0].polls).toEqual([
      {
        time: expect.stringMatching(ISO),
        outcome: 'failed',
        delivered: 0,
        error: { code: 'ERR_AUTH', message: expect.any(String) },
      },
      { time: expect.stringMatching(ISO), outcome: 'ok', delivered: 1, error: null },
    ])
    const text = await scene.answered('status', 'work')
    expect(text).toMatch(
      /^last polls of work:\n {2}\d{4}-.* {2}failed: sign-in refused .*\n {2}\d{4}-.* {2}ok, 1 message delivered$/m,
    )
    expect(await scene.answered('status')).not.toContain('last polls')
    expect(JSON.stringify(await scene.json('status'))).not.toContain('"polls"')
  })

  test('of one account leaves out the others; an unknown one is wrong usage', async () => {
    await scene.configure({ work: {}, home: {} })
    expect(await scene.json('status', 'home')).toMatchObject({ accounts: [{ account: 'home' }] })
    const { code, stderr } = await scene.popfetch('status', 'hone')
    expect(code).toBe(64)
    expect(stderr).toContain('did you mean "home"?')
  })

  test('works when the rest of the configuration is broken, and says that it is', async () => {
    scene.fill('uid-1')
    await scene.popfetch()
    await scene.configure({ work: {} }, { colour: 'red' })
    const { code, stdout, stderr } = await scene.popfetch('status')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ {3}work .*ok, /m)
    expect(stderr).toMatch(/^popfetch: warning: reading the configuration .*see popfetch config check\n$/)
    expect(stderr.split('\n')).toHaveLength(2)
  })

  test('works with nothing but --state', async () => {
    await scene.popfetch()
    const child = startNode(scene.directory, [BIN, 'status', '--state', 'state.db'])
    const { code, stdout, stderr } = await ended(child)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/work .*ok, /)
  })

  test('of a ledger that is none is 74', async () => {
    await writeFile(scene.path('state.db'), 'x'.repeat(5000))
    expect((await scene.popfetch('status')).code).toBe(74)
  })
})
