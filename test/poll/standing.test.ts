// What a poll says of what stands, and what it does not do: outcomes as DESIGN 2 has them, over several polls.
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { NoRoom, Reserve } from '../../src/deliver/disk/reserve.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { Scene, upTo } from './scene.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 24) }))
afterEach(() => void vi.useRealTimers())

function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

describe('a poll', () => {
  test('in which a message becomes refused or held is partial, names it, and the next is ok and only counts it no more', async () => {
    await using scene = await Scene.create()
    scene.destinations = ["no: { type: command, run: [sh, -c, 'cat >/dev/null; echo not here; exit 65'] }"]
    scene.deliver = 'no'
    scene.account = ['maxSize: 1KB']
    scene.fill(1)
    scene.server.mailbox('alice').add(`Subject: large\r\n\r\n${'x'.repeat(5000)}\r\n`, { uidl: 'large' })
    const first = await scene.poll({ eager: false })
    expect(first).toMatchObject({ outcome: 'partial', refused: 1, held: 1, deferred: 0, error: null })
    expect(first.problems.map(({ kind, from, subject }) => [kind, from, subject])).toEqual(
      expect.arrayContaining([['refused', 'Ada <ada@example.org>', 'letter 0']]),
    )
    const standing = { outcome: 'ok', refused: 0, held: 0, deferred: 0, error: null, problems: [] }
    expect(await scene.poll({ eager: false })).toMatchObject(standing)
    const retrieved = scene.count('RETR')
    pass(2 * HOUR)
    expect(await scene.poll({ eager: false }), 'a repeated refusal').toMatchObject({
      outcome: 'ok',
      refused: 0,
      error: null,
    })
    expect(scene.count('RETR')).toBe(retrieved + 1)
  })

  test('of a server that keeps what it was told to delete is ok on the days on which it is not asked, and counts it', async () => {
    await using scene = await Scene.create()
    scene.account = ['delete: after-delivery']
    scene.fill(1)
    scene.server.faults.ignoreDeletes = true
    for (const _ of upTo(8)) await scene.poll()
    const deletions = scene.count('DELE')
    pass(HOUR)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', undeleted: 1, error: null })
    expect(scene.count('DELE')).toBe(deletions)
    pass(2 * DAY)
    await scene.poll()
    expect(scene.count('DELE')).toBe(deletions + 1)
  })

  test('of an account that another popfetch is at work on is busy: no failure, and the server is not asked', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    await scene.poll()
    const said = scene.server.journal.commands().length
    await using other = await openLedger(scene.path('state/state.db'))
    await using lease = await other.lease(scene.name)
    expect(lease).not.toBeNull()
    expect(await scene.poll()).toMatchObject({ outcome: 'busy', error: null })
    expect(scene.server.journal.commands()).toHaveLength(said)
  })

  test('with --all delivers under new intents: a Maildir has two files of one key', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    await scene.poll()
    await scene.poll({ all: true })
    const names = readdirSync(scene.path('inbox/new')).map((name) => /\.K(\w+)I(\w+)\./.exec(name) ?? [])
    expect(names).toHaveLength(2)
    expect(new Set(names.map(([, key]) => key)).size).toBe(1)
    expect(new Set(names.map(([, , intent]) => intent)).size).toBe(2)
  })
})

test('two destinations that lead to one server as one user share a rest, whatever they are called', async () => {
  await using sink = await SmtpSink.start()
  await using scene = await Scene.create()
  const to = (name: string, user: string): string =>
    `{ type: smtp, host: 127.0.0.1, port: ${sink.port}, to: ${name}@example.com, from: ${user}@example.com }`
  scene.destinations = [`one: ${to('one', 'a')}`, `other: ${to('other', 'b')}`, 'inbox: { type: maildir, path: inbox }']
  scene.fill(1)
  scene.deliver = 'one'
  sink.faults.mail = '421 4.7.0 not now'
  await scene.poll({ eager: false })
  const { connections } = sink
  scene.fill(1, 1)
  scene.deliver = 'other'
  sink.faults.mail = null
  expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'paused', delivered: 0, deferred: 2 })
  expect([sink.connections, scene.count('RETR')]).toEqual([connections, 1])
  pass(16 * 60_000)
  await scene.poll({ eager: false })
  await scene.poll({ eager: false })
  expect(new Set(sink.messages.map((message) => message.to[0]))).toEqual(
    new Set(['one@example.com', 'other@example.com']),
  )
  expect(sink.messages).toHaveLength(2)
})

test('a Maildir without inodes costs no download at each poll, is somebody’s to act on (73), and all comes once there are some (D134)', async () => {
  await using scene = await Scene.create()
  scene.fill(20)
  const spy = vi.spyOn(Reserve.prototype, 'take').mockRejectedValue(new NoRoom('1000 inodes must stay free'))
  try {
    for (const _ of upTo(3)) {
      expect(await scene.poll({ eager: false })).toMatchObject({ delivered: 0, deferred: 20, error: { exit: 73 } })
      pass(6 * 60_000)
    }
    expect(scene.count('RETR')).toBeLessThanOrEqual(3)
    spy.mockRestore()
    pass(5 * HOUR)
    expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'ok', delivered: 20 })
    expect(scene.subjects()).toEqual(upTo(20))
  } finally {
    spy.mockRestore()
  }
})
