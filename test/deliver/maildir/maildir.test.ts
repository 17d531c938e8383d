// A Maildir gets every message complete and as it was received.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { intentOf } from '../../../src/deliver/maildir/name.ts'
import { messageKey } from '../../../src/deliver/message-key.ts'
import { EXT4, FaultyFileSystems, NFS, TMPFS } from '../../support/faulty-filesystem.ts'
import {
  asLf,
  attempt,
  failure,
  large,
  message,
  never,
  NOW_MS,
  ODD,
  ON_TOP,
  open,
  SMALL,
  spooled,
  spoolFor,
} from './scene.ts'

describe('a delivered message', () => {
  test('is in new/ under a name that says which message, which attempt and how large', async () => {
    const { maildir, files, root } = await open()
    const tried = attempt()
    const receipt = await maildir.deliver(tried, message(SMALL), never)
    const size = asLf(SMALL).length
    const name = `${NOW_MS / 1000}.K${messageKey(tried.origin)}I${tried.intent}.laptop,S=${size}`
    expect(files()).toEqual([name])
    expect(files('tmp')).toEqual([])
    expect(receipt.text).toBe(path.join(root, 'new', name))
  })

  test.each([
    ['lf', asLf],
    ['crlf', (bytes: Buffer) => bytes],
  ] as const)('with %s line ends has every other byte as it came', async (lineEndings, kept) => {
    const { maildir, read } = await open({ config: { lineEndings } })
    await maildir.deliver(attempt(), message(ODD), never)
    expect(read()).toEqual(kept(ODD))
  })

  test.each(['lf', 'crlf'] as const)('has our fields on top, with %s line ends', async (lineEndings) => {
    const { maildir, read } = await open({ config: { lineEndings }, context: { prefix: () => ON_TOP } })
    await maildir.deliver(attempt(), message(SMALL), never)
    const wire = Buffer.concat([Buffer.from(ON_TOP), SMALL])
    expect(read()).toEqual(lineEndings === 'lf' ? asLf(wire) : wire)
  })

  test('may be empty', async () => {
    const { maildir, files } = await open()
    await maildir.deliver(attempt(), message(Buffer.alloc(0)), never)
    expect(files()[0]).toMatch(/,S=0$/)
  })

  test.each([
    [0o600, 0o700],
    [0o640, 0o750],
  ])('has mode %o, its folders %o, whatever the umask', async (mode, folders) => {
    const umask = process.umask(0)
    onTestFinished(() => void process.umask(umask))
    const { maildir, root, files } = await open({ config: { mode } })
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(fs.statSync(path.join(root, 'new', files()[0]!)).mode & 0o777).toBe(mode)
    for (const folder of ['', 'tmp', 'new', 'cur'])
      expect(fs.statSync(path.join(root, folder)).mode & 0o777).toBe(folders)
  })

  test.each([
    ['Mon, 23 Nov 2026 10:00:00 +0000', Date.UTC(2026, 10, 23, 10)],
    ['Tue, 24 Nov 2026 23:00:00 +0000', Date.UTC(2026, 10, 24, 23)],
    ['Fri, 27 Nov 2026 10:00:00 +0000', null],
    ['Thu, 1 Jan 1970 10:00:00 +0000', null],
    ['nonsense', null],
  ])('received %s has that as its time, if it can be true', async (date, expected) => {
    const startedMs = Date.now() - 1000
    const { maildir, root, files } = await open()
    await maildir.deliver(attempt(), message(Buffer.from(`Received: by b; ${date}\r\n\r\n`)), never)
    const { mtimeMs } = fs.statSync(path.join(root, 'new', files()[0]!))
    if (expected !== null) return expect(mtimeMs).toBe(expected)
    expect(mtimeMs).toBeGreaterThan(startedMs)
    expect(mtimeMs).toBeLessThan(Date.now() + 1000)
  })

  test('has the time of its delivery with date: now', async () => {
    const startedMs = Date.now() - 1000
    const { maildir, root, files } = await open({ config: { date: 'now' } })
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(fs.statSync(path.join(root, 'new', files()[0]!)).mtimeMs).toBeGreaterThan(startedMs)
  })

  test.each([EXT4, TMPFS, NFS])('is never seen in part: file system %i, writing ten bytes at a time', async (type) => {
    const faults = new FaultyFileSystems(type)
    const { maildir, root, read, files } = await open({ context: { fileSystems: faults } })
    faults.writeBytes = 10
    const seen = new Set<string>()
    let synced = false
    faults.after = (call, subject) => {
      if (call === 'fsync' && !fs.fstatSync(Number(subject)).isDirectory()) synced = true
      for (const name of fs.readdirSync(path.join(root, 'new'))) {
        expect(synced).toBe(true)
        seen.add(fs.readFileSync(path.join(root, 'new', name), 'latin1'))
      }
    }
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(files()).toHaveLength(1)
    expect([...seen]).toEqual([read().toString('latin1')])
  })
})

describe('a large message', () => {
  const bytes = large()

  test('that was received into tmp/ is linked, not copied', async () => {
    const { maildir, files, read, root } = await open({ context: { prefix: () => ON_TOP } })
    const tried = attempt()
    await using spool = spoolFor(maildir, root, tried)
    const complete = await spooled(spool, bytes)
    const [inTmp] = files('tmp')
    expect(intentOf(inTmp!)).toBe(tried.intent)
    const { ino } = fs.statSync(path.join(root, 'tmp', inTmp!))
    await maildir.deliver(tried, complete, never)
    await spool[Symbol.asyncDispose]()
    expect(fs.statSync(path.join(root, 'new', files()[0]!))).toMatchObject({ ino, mtimeMs: Date.UTC(2026, 10, 23, 10) })
    expect(read().equals(asLf(Buffer.concat([Buffer.from(ON_TOP), bytes])))).toBe(true)
    expect(files()[0]).toMatch(new RegExp(`,S=${read().length}$`))
    expect(files('tmp')).toEqual([])
  })

  test.each(['lf', 'crlf'] as const)(
    'that lies elsewhere is copied with %s line ends and our fields',
    async (lineEndings) => {
      const { maildir, files, read, root } = await open({ config: { lineEndings }, context: { prefix: () => ON_TOP } })
      const tried = attempt()
      await using spool = spoolFor(null, root, tried)
      await maildir.deliver(tried, await spooled(spool, bytes), never)
      const wire = Buffer.concat([Buffer.from(ON_TOP), bytes])
      expect(read().equals(lineEndings === 'lf' ? asLf(wire) : wire)).toBe(true)
      expect(files('tmp')).toEqual([])
      expect(fs.readdirSync(path.join(root, 'spool'))).toHaveLength(1)
    },
  )

  test('that is in the tmp/ of another Maildir goes on without its fields', async () => {
    const first = await open({ context: { prefix: () => ON_TOP } })
    const second = await open()
    const tried = attempt()
    await using spool = spoolFor(first.maildir, first.root, tried)
    await second.maildir.deliver(tried, await spooled(spool, bytes), never)
    expect(second.read().equals(asLf(bytes))).toBe(true)
  })

  test('whose file was cut short is not delivered', async () => {
    const { maildir, files, root } = await open()
    const tried = attempt()
    await using spool = spoolFor(null, root, tried)
    const complete = await spooled(spool, bytes)
    if (complete.body.kind === 'file') fs.truncateSync(complete.body.path, 1000)
    expect(await failure(maildir.deliver(tried, complete, never))).toMatchObject({ verdict: 'temporary' })
    expect([...files(), ...files('tmp')]).toEqual([])
  })
})
