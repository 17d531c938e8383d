// A mailbox is moved whole, or as far as it was asked for; what remains of it after the end.
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { letter, upTo } from '../poll/scene.ts'
import { Scene } from './scene.ts'
import { leaseOf } from '../ledger/scene.ts'

describe('a migration', () => {
  test('moves everything, reads it again and says so', async () => {
    await using scene = await Scene.create()
    scene.fill(20)
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'ok', messages: 20, verified: 20, unmovedCount: 0, readAgain: true })
    expect(scene.subjects()).toEqual(upTo(20))
    expect(scene.left()).toHaveLength(20)
    expect(scene.progress.at(-1)).toBe('20/20')
  })

  test('is done once: the next one finds nothing new and verifies what is there', async () => {
    await using scene = await Scene.create()
    scene.fill(5)
    await scene.migrate()
    const again = await scene.migrate()
    expect(again).toMatchObject({ outcome: 'ok', messages: 5, verified: 5, sessions: 1 })
    expect(scene.count('RETR')).toBe(5)
  })

  test('goes on by itself when the line is lost, again and again, and nothing comes twice', async () => {
    await using scene = await Scene.create()
    scene.fill(60)
    let retrieved = 0
    scene.server.faults.onCommand = (verb) => (verb === 'RETR' && ++retrieved % 9 === 0 ? 'reset' : 'serve')
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'ok', messages: 60, verified: 60 })
    expect(report.lostSessions).toBeGreaterThan(0)
    expect(scene.subjects()).toEqual(upTo(60))
    expect(Math.min(...scene.waits)).toBeGreaterThanOrEqual(2000)
  })

  test('gives up when nothing moves any more, says why, and the next one goes on', async () => {
    await using scene = await Scene.create()
    scene.fill(10)
    let retrieved = 0
    scene.server.faults.onCommand = (verb) => (verb === 'RETR' && ++retrieved > 4 ? 'reset' : 'serve')
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'failed', messages: 10, error: { code: 'ERR_CONNECT' } })
    expect(report.verified).toBe(10 - report.unmovedCount)
    expect(report.unmovedCount).toBeGreaterThan(0)
    expect(scene.waits.length).toBeLessThan(20)
    scene.server.faults.onCommand = null
    expect(await scene.migrate()).toMatchObject({ outcome: 'ok', verified: 10 })
    expect(scene.subjects()).toEqual(upTo(10))
  })

  test('takes a refused password for an answer, once', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    scene.server.mailbox('alice', 'another')
    expect(await scene.migrate()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_AUTH' }, sessions: 1 })
  })
})

describe('of a mailbox', () => {
  test('only so many messages are moved as --limit says, also with several sessions', async () => {
    await using scene = await Scene.create()
    scene.fill(10)
    const report = await scene.migrate({ options: { limit: 4 } })
    expect(report).toMatchObject({ outcome: 'ok', messages: 4, verified: 4, beyondLimit: 6 })
    expect(scene.subjects()).toEqual([0, 1, 2, 3])
    expect(await scene.migrate({ options: { limit: 4 } })).toMatchObject({ messages: 8, verified: 8, beyondLimit: 2 })
  })

  test('only what is from a day on is moved, by Received, else by Date', async () => {
    await using scene = await Scene.create()
    const mailbox = scene.server.mailbox('alice')
    const old = 'Date: Tue, 24 Nov 2009 10:00:00 +0000'
    const received = 'Received: from a by b; Tue, 1 Dec 2026 10:00:00 +0000\r\n'
    mailbox.add(letter(0), { uidl: 'new' })
    mailbox.add(letter(1).replace(/Date: .*/, old), { uidl: 'old' })
    mailbox.add(received + letter(2).replace(/Date: .*/, old), { uidl: 'received-lately' })
    mailbox.add(letter(3).replace(/Date: .*\r\n/, ''), { uidl: 'dateless' })
    const sinceMs = Date.UTC(2020, 0, 1)
    const report = await scene.migrate({ options: { sinceMs } })
    expect(report).toMatchObject({ outcome: 'ok', messages: 3, verified: 3, older: 1 })
    expect(scene.subjects()).toEqual([0, 2, 3])
    expect(scene.count('TOP')).toBe(4)
    expect(await scene.migrate()).toMatchObject({ messages: 4, verified: 4, older: 0 })
  })

  test('nothing is moved by --dry-run, which says how much it would be', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    const report = await scene.migrate({ options: { dryRun: true } })
    expect(report).toMatchObject({ outcome: 'ok', messages: 3, verified: 0 })
    expect(report.plan.map(({ action }) => action)).toEqual(['fetch', 'fetch', 'fetch'])
    expect(scene.count('RETR')).toBe(0)
  })
})

describe('an account of the configuration', () => {
  test('brings nothing that was fetched before, and what `first` skipped', async () => {
    await using scene = await Scene.create()
    scene.fill(4)
    await scene.migrate({ ownLedger: false })
    scene.fill(3, 4)
    const configuration = await scene.configuration()
    {
      await using ledger = await openLedger(configuration.statePath)
      await ledger.start(await leaseOf(ledger, 'old-isp'), [{ key: { uidl: 'uid-5', copy: 0 }, listedBytes: null }])
    }
    const report = await scene.migrate({ ownLedger: false })
    expect(report).toMatchObject({ outcome: 'ok', messages: 3, verified: 3, earlier: 4 })
    expect(scene.subjects()).toEqual(upTo(7))
    expect(scene.count('RETR')).toBe(7)
  })

  test('that another popfetch is at work on is left alone, after some patience', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    const configuration = await scene.configuration()
    await using other = await openLedger(configuration.statePath)
    await using lease = await other.lease('old-isp')
    expect(lease).not.toBeNull()
    expect(await scene.migrate({ ownLedger: false })).toMatchObject({ outcome: 'busy', sessions: 0 })
    expect(scene.count('USER') + scene.count('AUTH')).toBe(0)
  })

  test('keeps its lease between sessions', async () => {
    await using scene = await Scene.create()
    scene.fill(2)
    const configuration = await scene.configuration()
    await using other = await openLedger(configuration.statePath)
    const asked: Promise<unknown>[] = []
    scene.onWait = () => void asked.push(other.lease('old-isp'))
    scene.hold = () => Promise.all(asked)
    await scene.migrate({ ownLedger: false })
    expect(await Promise.all(asked)).toEqual([null])
  })
})

test('a signal lets what is on the wire come to its end, and says how far it came', async () => {
  await using scene = await Scene.create()
  scene.fill(800)
  const controller = new AbortController()
  let retrieved = 0
  scene.server.faults.onCommand = (verb) => {
    if (verb === 'RETR' && ++retrieved === 20) controller.abort(new Error('stop'))
    return 'serve'
  }
  const report = await scene.migrate({ signal: controller.signal })
  expect(report.outcome).toBe('interrupted')
  expect(report.lostSessions).toBe(0)
  expect(report.verified).toBeGreaterThanOrEqual(20)
  expect(report.verified).toBe(scene.subjects().length)
  expect(report.verified).toBeLessThan(800)
  expect(report.messages).toBe(800)
  expect(scene.server.journal.commands().at(-1)).toBe('QUIT')
  expect(await scene.migrate()).toMatchObject({ outcome: 'ok', verified: 800 })
  expect(scene.subjects()).toEqual(upTo(800))
})
