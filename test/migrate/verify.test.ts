// What was moved is read again where it is, and only then deleted from the server.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { upTo } from '../poll/scene.ts'
import { SmtpSink } from '../support/smtp-server.ts'
import { Scene } from './scene.ts'

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
