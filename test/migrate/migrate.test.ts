import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { letter, upTo } from '../poll/scene.ts'
import { SmtpSink } from '../support/smtp-server.ts'
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
    expect(report.lostSessions).toBeGreaterThan(3)
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

describe('a mailbox that shows only a part of itself', () => {
  test('is emptied in as many sessions as it takes (P100)', async () => {
    await using scene = await Scene.create()
    scene.fill(60)
    scene.server.faults.window = 25
    const report = await scene.migrate({ options: { delete: true } })
    expect(report).toMatchObject({ outcome: 'ok', messages: 60, verified: 60, deleted: 60, undeleted: 0 })
    expect(scene.subjects()).toEqual(upTo(60))
    expect(scene.left()).toEqual([])
  })

  test('is moved whole without deleting when it shows others after each session (Gmail, P129)', async () => {
    await using scene = await Scene.create()
    scene.fill(70)
    scene.server.faults.window = 25
    scene.server.faults.popped = true
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'ok', messages: 70, verified: 70 })
    expect(scene.subjects()).toEqual(upTo(70))
    expect(scene.left()).toHaveLength(70)
  })
})

describe('a rebuilt mailbox, all under new UIDLs,', () => {
  test('is told by its headers: what is there does not come again', async () => {
    await using scene = await Scene.create()
    scene.fill(30)
    await scene.migrate()
    for (const message of scene.server.mailbox('alice').messages) message.uidl = `new-${message.uidl}`
    scene.fill(3, 30)
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'ok', verified: 33 })
    expect(scene.subjects()).toEqual(upTo(33))
  })
})

describe('LOGIN-DELAY', () => {
  test('is obeyed between sessions (P155)', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    scene.server.capabilities?.afterLogin.push('LOGIN-DELAY 300')
    let nowMs = Date.now()
    scene.server.now = () => nowMs
    scene.server.faults.loginDelayMs = 300_000
    scene.onWait = (ms) => {
      nowMs += ms + 1000
    }
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'ok', verified: 3, lostSessions: 0 })
    expect(scene.waits.every((ms) => ms > 250_000)).toBe(true)
  })
})

test('a mailbox that is still locked after a lost line is tried again soon (P137)', async () => {
  await using scene = await Scene.create()
  scene.fill(4)
  let refusals = 0
  scene.server.faults.onCommand = (verb, _, session) => {
    if (verb === 'PASS' && session.id > 1 && refusals++ < 2) return '-ERR [IN-USE] locked by another session'
    return 'serve'
  }
  const report = await scene.migrate()
  expect(report).toMatchObject({ outcome: 'ok', verified: 4 })
  expect(Math.max(...scene.waits)).toBeLessThan(10_000)
})

describe('what is deleted', () => {
  test('was read again before: a file that was changed keeps its message on the server (S024)', async () => {
    await using scene = await Scene.create()
    scene.fill(6)
    await scene.migrate()
    const spoilt = scene.files().find((file) => readFileSync(file, 'latin1').includes('Subject: letter 3')) ?? ''
    writeFileSync(spoilt, readFileSync(spoilt, 'latin1').replace('the end of 3', 'the end of 8'), 'latin1')
    const lost = scene.files().find((file) => readFileSync(file, 'latin1').includes('Subject: letter 5')) ?? ''
    rmSync(lost)
    const report = await scene.migrate({ options: { delete: true } })
    expect(scene.left()).toEqual(['uid-3', 'uid-5'])
    expect(report).toMatchObject({ outcome: 'partial', messages: 6, verified: 4, deleted: 4, unmovedCount: 2 })
    expect(report.unmoved.map(({ uidl, kind }) => [uidl, kind])).toEqual([
      ['uid-3', 'unverified'],
      ['uid-5', 'unverified'],
    ])
  })

  test('may have been read and flagged meanwhile', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    await scene.migrate()
    for (const file of scene.files()) {
      renameSync(file, path.join(scene.path('inbox/cur'), `${path.basename(file)}:2,S`))
    }
    expect(await scene.migrate({ options: { delete: true } })).toMatchObject({ outcome: 'ok', deleted: 3 })
    expect(scene.left()).toEqual([])
  })

  test('is nothing at all when the server keeps what it was told to delete, and that is said', async () => {
    await using scene = await Scene.create()
    scene.fill(3)
    scene.server.faults.ignoreDeletes = true
    const report = await scene.migrate({ options: { delete: true } })
    expect(report).toMatchObject({ outcome: 'partial', verified: 3, undeleted: 3 })
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

describe('a file that its digest does not tell', () => {
  /** A lone LF is a line end in the file like any other. */
  function addLoneLf(scene: Scene): void {
    const bytes = Buffer.from('Subject: letter 0\r\n\r\none\ntwo\r\nthr\ree\r\r\nfour\n\r\n', 'latin1')
    scene.server.mailbox('alice').add(bytes, { uidl: 'uid-0' })
  }

  test('is compared with its message, fetched once more: lone LFs are no damage (P115)', async () => {
    await using scene = await Scene.create()
    addLoneLf(scene)
    scene.fill(3, 1)
    expect(await scene.migrate()).toMatchObject({ outcome: 'ok', messages: 4, verified: 4 })
    expect(scene.count('RETR')).toBe(5)
  })

  test('is deleted then like the others', async () => {
    await using scene = await Scene.create()
    addLoneLf(scene)
    scene.fill(3, 1)
    expect(await scene.migrate({ options: { delete: true } })).toMatchObject({ outcome: 'ok', verified: 4, deleted: 4 })
    expect(scene.left()).toEqual([])
  })

  test('may be from before the ledger: what is adopted by its name is compared too', async () => {
    await using scene = await Scene.create()
    scene.fill(4)
    await scene.migrate()
    rmSync(scene.path('state'), { recursive: true })
    const file = scene.files().find((one) => readFileSync(one, 'latin1').includes('Subject: letter 2')) ?? ''
    writeFileSync(file, readFileSync(file, 'latin1').replace('the end of 2', 'the end of 9'), 'latin1')
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'partial', messages: 4, verified: 3 })
    expect(report.unmoved.map(({ uidl }) => uidl)).toEqual(['uid-2'])
    expect(scene.subjects()).toEqual(upTo(4))
  })
})

describe('an mbox', () => {
  test('is read again like a Maildir: a message that was changed there is not verified', async () => {
    await using scene = await Scene.create()
    scene.destination = 'inbox: { type: mbox, path: inbox }'
    scene.fill(150)
    expect(await scene.migrate()).toMatchObject({ outcome: 'ok', messages: 150, verified: 150, readAgain: true })
    const file = scene.path('inbox')
    writeFileSync(file, readFileSync(file, 'latin1').replace('the end of 77', 'the end of 88'), 'latin1')
    const report = await scene.migrate({ options: { delete: true } })
    expect(report).toMatchObject({ outcome: 'partial', verified: 149, deleted: 149 })
    expect(scene.left()).toEqual(['uid-77'])
  })
})

describe('a mail server', () => {
  test('has to accept each message; one that it refuses is named, with its words, and tried afresh the next time', async () => {
    await using scene = await Scene.create()
    await using smtp = await SmtpSink.start()
    scene.destination = `inbox: { type: smtp, host: 127.0.0.1, port: ${smtp.port}, to: bob@example.net }`
    scene.fill(5)
    smtp.faults.dot = ({ bytes }) => (bytes.includes('Subject: letter 3') ? '554 5.7.1 not wanted here' : null)
    const report = await scene.migrate()
    expect(report).toMatchObject({ outcome: 'partial', messages: 5, verified: 4, readAgain: false, unmovedCount: 1 })
    expect(report.unmoved[0]).toMatchObject({ uidl: 'uid-3', messageId: '<3@example.org>', kind: 'refused' })
    expect(report.unmoved[0]?.reason).toContain('not wanted here')
    smtp.faults.dot = null
    expect(await scene.migrate()).toMatchObject({ outcome: 'ok', messages: 5, verified: 5 })
    expect(smtp.messages).toHaveLength(5)
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
