// A Maildir gets every message complete, durable and once, or it gets nothing and the error says so.
import fs from 'node:fs'
import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Attempt, Destination } from '../../../src/deliver/destination.ts'
import { openMaildir, type MaildirConfig, type MaildirContext } from '../../../src/deliver/maildir/maildir.ts'
import { fileName, hostPart, intentOf, messageKey, sizedName } from '../../../src/deliver/maildir/name.ts'
import { InterruptedDeliveries } from '../../../src/deliver/maildir/find.ts'
import { foldersOf } from '../../../src/deliver/maildir/folders.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { Spool } from '../../../src/deliver/spool.ts'
import { DeliveryError } from '../../../src/errors.ts'
import type { Message } from '../../../src/message.ts'
import { EXT4, FaultyFileSystems, NFS, TMPFS } from '../../support/faulty-filesystem.ts'
import { asLf, attempt, directory, large, message, never, NOW_MS, ODD, origin, SMALL } from '../scene.ts'

const HOUR_MS = 3_600_000
const ON_TOP =
  'Received: from pop by laptop\r\n\t(popfetch); Tue, 24 Nov 2026 13:10:22 +0000\r\nX-Popfetch-Account: a\r\n'

interface Scene {
  readonly root: string
  readonly maildir: Destination
  readonly files: (folder?: 'tmp' | 'new' | 'cur') => readonly string[]
  /** The only file in new/. */
  readonly read: () => Buffer
}

async function open(
  changes: { config?: Partial<MaildirConfig>; context?: Partial<MaildirContext> } = {},
): Promise<Scene> {
  const root = changes.config?.path ?? path.join(directory(), 'Mail')
  const maildir = openMaildir(
    {
      path: root,
      create: true,
      lineEndings: 'lf',
      mode: 0o600,
      date: 'received',
      description: 'maildir ~/Mail',
      ...changes.config,
    },
    { hostName: 'laptop', nowMs: () => NOW_MS, prefix: () => '', reserve: new Reserve(), ...changes.context },
  )
  onTestFinished(() => maildir[Symbol.asyncDispose]())
  await maildir.ready(never)
  const files = (folder: 'tmp' | 'new' | 'cur' = 'new'): readonly string[] => fs.readdirSync(path.join(root, folder))
  return { root, maildir, files, read: () => fs.readFileSync(path.join(root, 'new', files()[0]!)) }
}

async function failure(work: Promise<unknown>): Promise<DeliveryError> {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(DeliveryError)
  return thrown as DeliveryError
}

/** Received through a spool, as a poll does it. */
async function spooled(spool: Spool, bytes: Buffer): Promise<Message> {
  for (let at = 0; at < bytes.length; at += 65_536) await spool.write(bytes.subarray(at, at + 65_536))
  return await spool.complete(NOW_MS)
}

function spoolFor(maildir: Destination | null, at: string, tried: Attempt, faults?: FaultyFileSystems): Spool {
  const given = { origin: tried.origin, attempt: maildir === null ? null : tried, maxSizeBytes: null, signal: never }
  const place = maildir?.spool ?? null
  return new Spool({
    ...given,
    place,
    directory: path.join(at, 'spool'),
    reserve: new Reserve(),
    ...(faults === undefined ? {} : { fileSystem: faults.offLoop }),
  })
}

describe('a delivered message', () => {
  test('stands in new/ under a name that says which message, which attempt and how large', async () => {
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

  test.each([0o600, 0o640])('has mode %o whatever the umask', async (mode) => {
    const umask = process.umask(0)
    onTestFinished(() => void process.umask(umask))
    const { maildir, root, files } = await open({ config: { mode } })
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(fs.statSync(path.join(root, 'new', files()[0]!)).mode & 0o777).toBe(mode)
    for (const folder of ['', 'tmp', 'new', 'cur'])
      expect(fs.statSync(path.join(root, folder)).mode & 0o777).toBe(0o700)
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

  test('that stands in the tmp/ of another Maildir goes on without its fields', async () => {
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

describe('when a file system call fails', () => {
  const ways = [
    [
      'a small message',
      async ({ maildir }: Scene, tried: Attempt) => await maildir.deliver(tried, message(SMALL), never),
    ],
    [
      'a large message in tmp/',
      async ({ maildir, root }: Scene, tried: Attempt, faults: FaultyFileSystems) => {
        await using spool = spoolFor(maildir, root, tried, faults)
        return await maildir.deliver(tried, await spooled(spool, large().subarray(0, 1_100_000)), never)
      },
    ],
    [
      'a large message from elsewhere',
      async ({ maildir, root }: Scene, tried: Attempt) => {
        await using spool = spoolFor(null, root, tried)
        return await maildir.deliver(tried, await spooled(spool, large().subarray(0, 1_100_000)), never)
      },
    ],
  ] as const

  for (const [what, deliver] of ways) {
    test.each([
      [EXT4, 'EIO'],
      [TMPFS, 'EACCES'],
      [NFS, 'EDQUOT'],
    ])(`the n-th of ${what} once, nothing is left: file system %i, %s`, async (type, errno) => {
      for (let failing = 1; ; failing++) {
        const faults = new FaultyFileSystems(type)
        const scene = await open({ config: { mode: 0o640 }, context: { fileSystems: faults, prefix: () => ON_TOP } })
        faults.calls = 0
        faults.made.length = 0
        faults.failing = failing
        faults.errno = errno
        const tried = attempt()
        const outcome = await deliver(scene, tried, faults).catch((error: unknown) => error)
        const failed = faults.made[failing - 1]
        if (failed === undefined) {
          expect(failing).toBeGreaterThan(8)
          return
        }
        if (outcome instanceof Error) {
          expect(outcome).toBeInstanceOf(DeliveryError)
          expect(outcome).toMatchObject({ verdict: 'temporary', scope: 'destination', retry: 'later' })
          expect([failed, scene.files(), scene.files('tmp')]).toEqual([failed, [], []])
        } else {
          // Only a call that may fail: taking away a name that is not needed any more.
          expect(failed).toBe('unlink')
          expect(scene.files()).toHaveLength(1)
        }
        // The next poll succeeds.
        faults.failing = 0
        if (outcome instanceof Error) await deliver(scene, attempt(), faults)
        expect(scene.files()).toHaveLength(1)
      }
    })

    test(`the n-th of ${what} and all after it, nothing is visible unless the verdict is unknown`, async () => {
      for (let failing = 1; ; failing++) {
        const faults = new FaultyFileSystems(EXT4)
        const scene = await open({ context: { fileSystems: faults } })
        faults.calls = 0
        faults.failing = failing
        faults.forGood = true
        const outcome = await deliver(scene, attempt(), faults).catch((error: unknown) => error)
        if (faults.calls < failing) return
        if (outcome instanceof Error) {
          expect(outcome).toBeInstanceOf(DeliveryError)
          const { verdict } = outcome as DeliveryError
          expect([verdict, scene.files().length]).not.toEqual(['temporary', 1])
        } else {
          expect(scene.files()).toHaveLength(1)
        }
      }
    })
  }

  test('one message of a batch fails alone', async () => {
    const faults = new FaultyFileSystems(TMPFS)
    const { maildir, files, root } = await open({ context: { fileSystems: faults } })
    const unlucky = attempt('unlucky')
    fs.writeFileSync(path.join(root, 'tmp', fileName(unlucky, 'laptop', NOW_MS)), 'somebody else')
    const outcomes = await Promise.allSettled(
      [attempt('a'), unlucky, attempt('b')].map((tried) => maildir.deliver(tried, message(SMALL), never)),
    )
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { verdict: 'temporary', scope: 'message' } })
    expect(files()).toHaveLength(2)
    expect(files('tmp')).toHaveLength(1)
  })

  test('the text says what was tried, what came back and what to do', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir } = await open({ context: { fileSystems: faults } })
    faults.errors.set('write', { errno: 'ENOSPC', performs: false })
    const { message: text } = await failure(maildir.deliver(attempt(), message(SMALL), never))
    expect(text).toBe('maildir ~/Mail: cannot deliver a message: no space left: free some space')
  })

  test('a full disk is noticed before it is full', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    faults.freeBytes = 100_000_000
    expect((await failure(maildir.ready(never))).message).toContain('100 MB are free, and 100 MB must stay free')
    expect(await failure(maildir.deliver(attempt(), message(SMALL), never))).toMatchObject({
      verdict: 'temporary',
      scope: 'destination',
      retry: 'later',
    })
    expect([...files(), ...files('tmp')]).toEqual([])
  })
})

describe('a link', () => {
  test.each(['EEXIST', 'EIO'])('that was made although %s was reported is a success (NFS)', async (errno) => {
    const faults = new FaultyFileSystems(NFS)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    faults.errors.set('link', { errno, performs: true })
    await maildir.deliver(attempt(), message(SMALL), never)
    expect([files().length, files('tmp')]).toEqual([1, []])
  })

  test('of which nobody can tell whether it was made has an unknown outcome', async () => {
    const faults = new FaultyFileSystems(NFS)
    const { maildir } = await open({ context: { fileSystems: faults } })
    faults.errors.set('link', { errno: 'EIO', performs: true })
    faults.errors.set('lstat', { errno: 'EIO', performs: false })
    expect((await failure(maildir.deliver(attempt(), message(SMALL), never))).verdict).toBe('unknown')
  })

  test('that would replace another file is not made, and both survive', async () => {
    const { maildir, files, read, root } = await open()
    const tried = attempt()
    const name = sizedName(fileName(tried, 'laptop', NOW_MS), asLf(SMALL).length)
    fs.writeFileSync(path.join(root, 'new', name), 'somebody else')
    expect(await failure(maildir.deliver(tried, message(SMALL), never))).toMatchObject({
      verdict: 'temporary',
      scope: 'message',
    })
    expect(read().toString()).toBe('somebody else')
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(files()).toHaveLength(2)
  })

  test.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])('that cannot be made (%s) is a rename', async (errno) => {
    const faults = new FaultyFileSystems(NFS)
    const { maildir, files, read, root } = await open({ context: { fileSystems: faults } })
    faults.errors.set('link', { errno, performs: false })
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(read()).toEqual(asLf(SMALL))
    expect(files('tmp')).toEqual([])
    const tried = attempt()
    const name = sizedName(fileName(tried, 'laptop', NOW_MS), asLf(SMALL).length)
    fs.writeFileSync(path.join(root, 'new', name), 'somebody else')
    expect((await failure(maildir.deliver(tried, message(SMALL), never))).verdict).toBe('temporary')
    expect(fs.readFileSync(path.join(root, 'new', name), 'latin1')).toBe('somebody else')
  })

  test('across file systems is a clear error', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir } = await open({ context: { fileSystems: faults } })
    faults.errors.set('link', { errno: 'EXDEV', performs: false })
    const error = await failure(maildir.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination', retry: 'never' })
    expect(error.message).toContain('tmp/ and new/ are on different file systems')
  })

  test('of a file that somebody removed from tmp/ fails for this message only (D021)', async () => {
    const faults = new FaultyFileSystems(TMPFS)
    const { maildir, root, files } = await open({ context: { fileSystems: faults } })
    faults.after = (call) => {
      if (call === 'fsync') for (const name of files('tmp')) fs.unlinkSync(path.join(root, 'tmp', name))
    }
    expect(await failure(maildir.deliver(attempt(), message(SMALL), never))).toMatchObject({
      verdict: 'temporary',
      scope: 'message',
    })
  })

  test('is undone when new/ cannot be synced; when a reader was faster the outcome is unknown', async () => {
    const faults = new FaultyFileSystems(TMPFS)
    const { maildir, root, files } = await open({ context: { fileSystems: faults } })
    let taken = false
    faults.before = (call, subject) => {
      if (call !== 'fsync' || !fs.fstatSync(Number(subject)).isDirectory()) return
      if (taken) for (const name of files()) fs.renameSync(path.join(root, 'new', name), path.join(root, 'cur', name))
      throw Object.assign(new Error('EIO: injected'), { code: 'EIO' })
    }
    expect((await failure(maildir.deliver(attempt(), message(SMALL), never))).verdict).toBe('temporary')
    expect(files()).toEqual([])
    taken = true
    expect((await failure(maildir.deliver(attempt(), message(SMALL), never))).verdict).toBe('unknown')
  })

  test('needs no sync of new/ where directories cannot be synced', async () => {
    const faults = new FaultyFileSystems(NFS)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    faults.before = (call, subject) => {
      if (call !== 'fsync' || !fs.fstatSync(Number(subject)).isDirectory()) return
      throw Object.assign(new Error('EINVAL: injected'), { code: 'EINVAL' })
    }
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(files()).toHaveLength(1)
  })
})

describe('many deliveries', () => {
  test('with one clock and one process all arrive, and share the syncs of new/', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    faults.made.length = 0
    const all = Array.from({ length: 300 }, (_, index) => attempt(`uid-${index}`))
    await Promise.all(all.map((tried) => maildir.deliver(tried, message(SMALL, tried.origin), never)))
    expect(new Set(files().map(intentOf))).toEqual(new Set(all.map(({ intent }) => intent)))
    expect(files('tmp')).toEqual([])
    expect(faults.made.filter((call) => call === 'fsync').length - all.length).toBeLessThanOrEqual(5)
  })

  test('to one Maildir through two destinations do not meet', async () => {
    const first = await open()
    const second = await open({ config: { path: first.root } })
    const tries = Array.from({ length: 100 }, () => attempt())
    await Promise.all(
      tries.map((tried, index) => (index % 2 === 0 ? first : second).maildir.deliver(tried, message(SMALL), never)),
    )
    expect(first.files()).toHaveLength(100)
  })
})

describe('a wait', () => {
  test.each([
    ['write', 'temporary'],
    ['fsync', 'temporary'],
    ['link', 'unknown'],
  ] as const)('for a %s that never returns ends when the signal is aborted: %s', async (call, verdict) => {
    const faults = new FaultyFileSystems(NFS)
    const { maildir } = await open({ context: { fileSystems: faults } })
    const stopped = new AbortController()
    const reached = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    faults.before = (made) => {
      if (made !== call) return undefined
      reached.resolve()
      return gate.promise
    }
    onTestFinished(() => gate.resolve())
    const delivering = maildir.deliver(attempt(), message(SMALL), stopped.signal)
    await reached.promise
    stopped.abort()
    expect((await failure(delivering)).verdict).toBe(verdict)
  })

  /** How `work` fails: the clock stands until a call hangs, and then the time limit is over. */
  async function failureAtLimit(faults: FaultyFileSystems, work: () => Promise<unknown>): Promise<DeliveryError> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const hangs = faults.hangs()
    const failed = failure(work())
    await hangs
    vi.advanceTimersByTime(1000)
    return await failed
  }

  test('ends without a signal too', async () => {
    const faults = new FaultyFileSystems(NFS)
    const { maildir } = await open({ context: { fileSystems: faults, limitMs: 1000 } })
    faults.hanging.add('open')
    expect(await failureAtLimit(faults, () => maildir.deliver(attempt(), message(SMALL), never))).toMatchObject({
      verdict: 'temporary',
      scope: 'destination',
    })
    faults.hanging.add('lstat')
    const { message: text } = await failureAtLimit(faults, () => maildir.ready(never))
    expect(text).toContain('the file system does not answer')
  })

  test.each([
    ['the write', 'write', 1, 'close', 'temporary'],
    ['the fsync', 'fsync', 1, 'unlink', 'temporary'],
    ['the fsync of new/', 'fsync', 2, 'unlink', 'unknown'],
  ] as const)('ends when %s fails and what takes it back never returns', async (_, failing, nth, hanging, verdict) => {
    const faults = new FaultyFileSystems(NFS)
    const { maildir } = await open({ context: { fileSystems: faults, limitMs: 1000 } })
    let count = 0
    faults.before = (call) => {
      if (call !== failing || ++count < nth) return
      faults.hanging.add(hanging)
      throw Object.assign(new Error('injected'), { code: 'EIO' })
    }
    const failed = await failureAtLimit(faults, () => maildir.deliver(attempt(), message(SMALL), never))
    expect(failed.verdict).toBe(verdict)
  })

  test('that was given up before the link makes nothing visible later', async () => {
    const faults = new FaultyFileSystems(NFS)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    const stopped = new AbortController()
    const reached = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    faults.before = (call) => {
      if (call !== 'fsync') return undefined
      reached.resolve()
      return gate.promise
    }
    const delivering = maildir.deliver(attempt(), message(SMALL), stopped.signal)
    await reached.promise
    stopped.abort()
    expect((await failure(delivering)).verdict).toBe('temporary')
    gate.resolve()
    await maildir[Symbol.asyncDispose]()
    expect([...files(), ...files('tmp')]).toEqual([])
  })

  test('for a disk that never answers keeps no message that was given up, however many come (P5)', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const faults = new FaultyFileSystems(NFS)
    const { maildir } = await open({ context: { fileSystems: faults } })
    const reached = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    faults.before = (call) => {
      if (call !== 'fsync') return undefined
      reached.resolve()
      return gate.promise
    }
    onTestFinished(() => gate.resolve())
    const givenUp = async (meanwhile: Promise<void> | null): Promise<void> => {
      const stopped = new AbortController()
      const delivering = maildir.deliver(attempt(), message(Buffer.alloc(900_000)), stopped.signal)
      await meanwhile
      stopped.abort()
      await failure(delivering)
    }
    await givenUp(reached.promise)
    collect()
    const before = process.memoryUsage().arrayBuffers
    for (let count = 0; count < 20; count++) await givenUp(null)
    // V8 counts what it freed some time afterwards.
    await vi.waitUntil(() => {
      collect()
      return process.memoryUsage().arrayBuffers - before < 3 * 900_000
    }, 10_000)
  })

  test('is not begun when the signal is aborted already', async () => {
    const { maildir, files } = await open()
    expect((await failure(maildir.deliver(attempt(), message(SMALL), AbortSignal.abort()))).verdict).toBe('temporary')
    await maildir[Symbol.asyncDispose]()
    expect([...files(), ...files('tmp')]).toEqual([])
  })
})

describe('recall', () => {
  const facts = (of: Message): object => ({
    receivedBytes: of.sizeBytes,
    digest: of.digest,
    fingerprint: of.fingerprint,
    messageId: of.messageId,
  })

  test.each(['lf', 'crlf'] as const)(
    'finds what was delivered, wherever a reader moved it, and what had been received (%s, D020)',
    async (lineEndings) => {
      let prefix = ON_TOP
      const { maildir, root, files } = await open({ config: { lineEndings }, context: { prefix: () => prefix } })
      const received = message(Buffer.from('Subject: x\r\nMessage-ID: <2@b>\r\n\r\na\r\r\n\r\n\rb\0\r\n', 'latin1'))
      const [fresh, read] = [attempt('fresh'), attempt('read')]
      await maildir.deliver(fresh, received, never)
      await maildir.deliver(read, received, never)
      const name = files().find((each) => intentOf(each) === read.intent)!
      fs.renameSync(path.join(root, 'new', name), path.join(root, 'cur', `${name}:2,RS`))
      // The date of the field on top is another one by then.
      prefix = ON_TOP.replace('24 Nov 2026 13:10:22', '1 Dec 2026 08:00:00')
      await maildir.ready(never)
      expect(await maildir.recall(fresh, never)).toEqual({
        text: path.join(root, 'new', files()[0]!),
        received: facts(received),
      })
      expect(await maildir.recall(read, never)).toEqual({
        text: path.join(root, 'cur', `${name}:2,RS`),
        received: facts(received),
      })
    },
  )

  test('of a large message reads it in pieces', async () => {
    const { maildir, root } = await open({ context: { prefix: () => ON_TOP } })
    const tried = attempt()
    await using spool = spoolFor(maildir, root, tried)
    const text = Buffer.from(
      large()
        .toString('latin1')
        .replaceAll(/(?<!\r)\n/g, ' '),
      'latin1',
    )
    const complete = await spooled(spool, text)
    await maildir.deliver(tried, complete, never)
    expect((await maildir.recall(tried, never))?.received).toEqual(facts(complete))
  })

  test('does not say what was received when the file begins otherwise', async () => {
    let prefix = ON_TOP
    const { maildir } = await open({ context: { prefix: () => prefix } })
    const tried = attempt()
    await maildir.deliver(tried, message(SMALL), never)
    prefix = 'X-Other: 1\r\n'
    expect(await maildir.recall(tried, never)).toMatchObject({ received: null })
  })

  test('knows nothing of an attempt that left nothing', async () => {
    const { maildir } = await open()
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(await maildir.recall(attempt(), never)).toBeNull()
  })

  test('removes a half-written file from tmp/, and no other', async () => {
    const { maildir, root, files } = await open()
    const [cut, other] = [attempt(), attempt()]
    for (const tried of [cut, other])
      fs.writeFileSync(path.join(root, 'tmp', fileName(tried, 'laptop', NOW_MS)), 'half')
    expect(await maildir.recall(cut, never)).toBeNull()
    expect(files('tmp').map(intentOf)).toEqual([other.intent])
  })

  test('finds the file that was linked and not yet unlinked', async () => {
    const { maildir, root, files } = await open()
    const tried = attempt()
    await maildir.deliver(tried, message(SMALL), never)
    fs.linkSync(path.join(root, 'new', files()[0]!), path.join(root, 'tmp', fileName(tried, 'laptop', NOW_MS)))
    expect((await maildir.recall(tried, never))?.text).toContain('/new/')
    expect(files('tmp')).toEqual([])
  })

  test('makes what it finds durable', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir } = await open({ context: { fileSystems: faults } })
    const tried = attempt()
    await maildir.deliver(tried, message(SMALL), never)
    faults.errors.set('fsync', { errno: 'EIO', performs: false })
    expect(await failure(maildir.recall(tried, never))).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    faults.errors.clear()
    expect(await maildir.recall(tried, never)).not.toBeNull()
  })

  test('looks again after ready()', async () => {
    const { maildir } = await open()
    const tried = attempt()
    expect(await maildir.recall(tried, never)).toBeNull()
    await maildir.deliver(tried, message(SMALL), never)
    await maildir.ready(never)
    expect(await maildir.recall(tried, never)).not.toBeNull()
  })

  test('walks through the folders once for the newest 20,000 files, and again for an older one', async () => {
    const folders = foldersOf('/mail')
    const intent = (index: number): string => index.toString(16).padStart(16, '0').split('').toReversed().join('')
    let walks = 0
    const count = 50_000
    const faults = new FaultyFileSystems(TMPFS)
    const recall = new InterruptedDeliveries(
      {
        ...new Proxy(faults.of(), {}),
        open: () => 1,
        fsync: () => undefined,
        close: () => undefined,
        async *names(folder: string) {
          if (folder !== folders.cur) return
          walks += 1
          for (let index = 0; index < count; index++)
            yield [`${1_000_000 + index}.K${'0'.repeat(24)}I${intent(index)}.laptop`]
        },
      },
      folders,
    )
    for (const index of [count - 1, count - 19_999]) expect(await recall.find(intent(index))).toContain(intent(index))
    expect(await recall.find(intent(count))).toBeNull()
    expect(walks).toBe(1)
    expect(await recall.find(intent(7))).toContain(intent(7))
    expect(walks).toBe(2)
  })
})

describe('the folders', () => {
  test('are made, private, with those above them', async () => {
    const root = path.join(directory(), 'a', 'b', 'Mail')
    await open({ config: { path: root } })
    for (const folder of [path.dirname(root), root, path.join(root, 'cur')]) {
      expect(fs.statSync(folder).mode & 0o777).toBe(0o700)
    }
  })

  test('are each made durable in the one above', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const base = directory()
    const synced: string[] = []
    faults.before = (call, subject) => {
      if (call === 'fsync') synced.push(path.relative(base, fs.readlinkSync(`/proc/self/fd/${subject}`)))
    }
    await open({ config: { path: path.join(base, 'a', 'Mail') }, context: { fileSystems: faults } })
    expect(synced).toEqual(['', 'a', 'a/Mail', 'a/Mail', 'a/Mail'])
  })

  test.skipIf(process.platform === 'win32').each([
    ['missing, with create: false', (root: string) => fs.rmdirSync(path.join(root, 'cur')), 'does not exist: make it'],
    ['a file', (root: string) => replace(root, 'new', (at) => fs.writeFileSync(at, '')), 'not a directory'],
    ['a link', (root: string) => replace(root, 'tmp', (at) => fs.symlinkSync('/tmp', at)), 'is a symbolic link'],
    ['open to everybody', (root: string) => fs.chmodSync(path.join(root, 'new'), 0o777), 'everybody may write to'],
  ])('are refused when one is %s', async (_, spoil, text) => {
    const { root } = await open()
    spoil(root)
    const { maildir } = { maildir: openAgain(root, process.getuid?.() ?? null) }
    expect(await failure(maildir.ready(never))).toMatchObject({
      verdict: 'temporary',
      scope: 'destination',
      retry: 'never',
      message: expect.stringContaining(text),
    })
  })

  test('of somebody else are refused', async () => {
    const { root } = await open()
    const owner = fs.statSync(root).uid
    expect((await failure(openAgain(root, owner + 1).ready(never))).message).toContain(`belongs to user ${owner}`)
  })

  test('of a user are refused to root, and to others', async () => {
    const { root } = await open()
    const { uid } = fs.statSync(root)
    const asAnother = await failure(openAgain(root, uid === 0 ? 1000 : 0).ready(never))
    expect(asAnother.message).toMatch(/belongs to user \d+, and popfetch runs as user \d+: run popfetch as/)
  })

  test('may be reached through a link', async () => {
    const { root } = await open()
    const link = path.join(directory(), 'Mail')
    fs.symlinkSync(root, link)
    const { maildir, files } = await open({ config: { path: link } })
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(files()).toHaveLength(1)
  })

  test('are opened by a delivery when nobody called ready', async () => {
    const root = path.join(directory(), 'Mail')
    const context = { hostName: 'h', nowMs: () => NOW_MS, prefix: () => '', reserve: new Reserve() }
    const config = { path: root, create: true, lineEndings: 'lf', mode: 0o600, date: 'now', description: 'm' } as const
    await using maildir = openMaildir(config, context)
    await maildir.deliver(attempt(), message(SMALL), never)
    expect(fs.readdirSync(path.join(root, 'new'))).toHaveLength(1)
  })

  test('lose dead files of ours from tmp/ after 36 hours, and nothing else', async () => {
    let nowMs = Date.now()
    const { maildir, root, files } = await open({ context: { nowMs: () => nowMs } })
    const [dead, foreign] = [fileName(attempt(), 'laptop', 0), '1.M2P3.laptop']
    for (const name of [dead, foreign]) {
      fs.writeFileSync(path.join(root, 'tmp', name), '')
      // As in a delivery under way: the file has the date of the message already.
      fs.utimesSync(path.join(root, 'tmp', name), 0, 0)
    }
    nowMs += 35 * HOUR_MS
    await maildir.ready(never)
    expect(files('tmp')).toHaveLength(2)
    nowMs += 2 * HOUR_MS
    await maildir.ready(never)
    expect(files('tmp')).toEqual([foreign])
  })

  function replace(root: string, name: string, put: (at: string) => void): void {
    fs.rmdirSync(path.join(root, name))
    put(path.join(root, name))
  }

  function openAgain(root: string, uid: number | null): Destination {
    return openMaildir(
      { path: root, create: false, lineEndings: 'lf', mode: 0o600, date: 'now', description: 'maildir ~/Mail' },
      { hostName: 'laptop', nowMs: () => NOW_MS, prefix: () => '', reserve: new Reserve(), uid },
    )
  }
})

describe('names', () => {
  test.each([
    ['laptop.example-1_a', 'laptop.example-1_a'],
    ['a/b:c', 'a\\057b\\072c'],
    ['a\\b,S=1', 'a\\134b\\054S\\0751'],
    ['a b\0\n', 'a\\040b\\000\\012'],
    ['\u00fc', '\\303\\274'],
    ['', 'localhost'],
  ])('host %j becomes %s', (host, part) => {
    expect(hostPart(host)).toBe(part)
  })

  test('stay below 200 bytes, and no escape is cut in two', () => {
    const host = hostPart('/'.repeat(300))
    expect(host).toMatch(/^(\\057)+$/)
    expect(sizedName(fileName(attempt(), host, 9e15), Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(200)
  })

  test('tell messages apart by account, user, UIDL and copy, and nothing else', () => {
    const one = origin('a', 1)
    const keys = [
      one,
      { ...one, account: 'b' },
      { ...one, user: 'b' },
      { ...one, uidl: 'A' },
      { ...one, uidl: 'a\xff' },
      { ...one, uidl: '../../x' },
      { ...one, copy: 2 },
    ].map(messageKey)
    expect(new Set(keys).size).toBe(keys.length)
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{24}$/)
    expect(messageKey({ ...one, host: 'other', protocol: 'POP3' })).toBe(messageKey(one))
  })

  test('are never made of an intent that is not one', () => {
    expect(() => fileName({ ...attempt(), intent: '../../../etc/x' }, 'h', 0)).toThrow(TypeError)
  })

  test('of others are not taken for ours', () => {
    for (const name of ['1.M2P3.host', '1.K12I34.host', 'K.I.', `x1.K${'0'.repeat(24)}I${'0'.repeat(16)}.h`]) {
      expect(intentOf(name)).toBeNull()
    }
  })
})
