// The dot lock of an mbox (D100).
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { identityOf } from '../../../src/deliver/mbox/lock.ts'
import { NOW_MS } from '../letters.ts'
import { EXT4, FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import { attempt, directory, failure, message, messages, never, open, read, SMALL } from './scene.ts'

const IDENTITY = await identityOf(process.pid)

describe('the lock (D100)', () => {
  const mine = JSON.stringify({ host: 'laptop', identity: IDENTITY })

  test('held by another program makes it wait, and then defers', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, '')
    await using mbox = open(file, { lockLimitMs: 20 })
    const error = await failure(mbox.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination', retry: 'soon' })
    expect(error.message).toMatch(/in\.lock is held by another program for more than 0 s: end the program/)
    expect(fs.existsSync(file)).toBe(false)
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in.lock'])
  })

  test('given up meanwhile is taken', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, '')
    const faulty = new FaultyFileSystems(EXT4)
    let tries = 0
    faulty.before = (call) => {
      if (call === 'link' && ++tries === 3) fs.unlinkSync(`${file}.lock`)
    }
    await using mbox = open(file, { lockLimitMs: 60_000, fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(messages(file)).toHaveLength(1)
  })

  test.each([
    ['of a live popfetch, however old', `${process.pid}\n${mine}\n`, 1e9, false],
    ['of a popfetch that died', `${2 ** 22 + 1}\n${mine}\n`, 0, true],
    [
      'of a popfetch whose number another process has now',
      `${process.pid}\n{"host":"laptop","identity":"x 1"}\n`,
      0,
      true,
    ],
    ['of another host', `${2 ** 22 + 1}\n{"host":"other","identity":""}\n`, 0, false],
    ['of another host, long ago', `${2 ** 22 + 1}\n{"host":"other","identity":""}\n`, 1025, true],
    ['of another program', '1\n', 1023, false],
    ['of another program, long ago', '1\n', 1025, true],
    ['with nonsense in it, long ago', '\0\xff{', 1025, true],
  ])('%s', async (_, content, ageSeconds, taken) => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, content)
    const thenSeconds = Date.now() / 1000 - ageSeconds
    fs.utimesSync(`${file}.lock`, thenSeconds, thenSeconds)
    await using mbox = open(file)
    const delivery = mbox.deliver(attempt(), message(SMALL), never)
    if (taken) await delivery
    else expect(await failure(delivery)).toMatchObject({ verdict: 'temporary' })
    expect(fs.readdirSync(path.dirname(file))).toEqual(taken ? ['in'] : ['in.lock'])
  })

  test('that cannot be made comes with the advice to use a command', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    faulty.errors.set('link', { errno: 'EACCES', performs: false })
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    const error = await failure(mbox.deliver(attempt(), message(SMALL), never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    expect(error.message).toMatch(
      /cannot make its lock .*in\.lock \(EACCES\): make .* writable, or deliver with type: command/,
    )
    expect(fs.readdirSync(path.dirname(file))).toEqual([])
  })

  test('made over NFS, where the answer says that it was not, is ours (D011)', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    faulty.errors.set('link', { errno: 'EEXIST', performs: true })
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(messages(file)).toHaveLength(1)
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in'])
  })

  test('that somebody made in the place of a dead one, just now, is respected', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(`${file}.lock`, `${2 ** 22 + 1}\n${mine}\n`)
    const faulty = new FaultyFileSystems(EXT4)
    faulty.before = (call) => {
      if (call !== 'rename') return
      fs.unlinkSync(`${file}.lock`)
      fs.writeFileSync(`${file}.lock`, `${process.pid}\n${mine}\n`)
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    expect(await failure(mbox.deliver(attempt(), message(SMALL), never))).toMatchObject({ verdict: 'temporary' })
    expect(read(`${file}.lock`)).toContain(String(process.pid))
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in.lock'])
  })

  test('is only for its owner to read: senders are in it', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    let mode = 0
    faulty.after = (call) => {
      if (call === 'fsync' && mode === 0) mode = fs.statSync(`${file}.lock`).mode
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(mode & 0o777).toBe(0o600)
  })

  const OTHER = 65_534
  const asRoot = process.getuid?.() === 0 ? test : test.skip

  /** A lock whose owner is gone, with a journal after which nothing of the mbox would be left. */
  function placed(file: string): string {
    fs.writeFileSync(file, 'From a Mon Jan  5 00:00:00 2026\nSubject: kept\n\nkept\n\n', { mode: 0o600 })
    const journal = { inode: fs.statSync(file).ino, sizeBytes: 0, fromLines: ['From a Mon Jan  5 00:00:00 2026\n'] }
    const lock = `${file}.lock`
    fs.writeFileSync(lock, `${2 ** 22 + 1}\n${mine}\n${JSON.stringify(journal)}\n`, { mode: 0o600 })
    return lock
  }

  test('of ours that died has its journal believed', async () => {
    const file = path.join(directory(), 'in')
    placed(file)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file)).not.toContain('Subject: kept')
  })

  test('of ours that died is gone only once its journal is in the next one', async () => {
    const file = path.join(directory(), 'in')
    placed(file)
    const faulty = new FaultyFileSystems(EXT4)
    const kept: boolean[] = []
    faulty.before = (call) => {
      const names = fs.readdirSync(path.dirname(file))
      const aside = names.find((name) => name.endsWith('.stale'))
      if (call !== 'unlink' || aside === undefined) return
      kept.push(read(path.join(path.dirname(file), aside.slice(0, -'.stale'.length))).includes('fromLines'))
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(kept).toEqual([true])
  })

  asRoot('of another user is a lock, but its journal is never believed [needs root]', async () => {
    const file = path.join(directory(), 'in')
    const lock = placed(file)
    fs.chmodSync(path.dirname(file), 0o1777)
    fs.chownSync(lock, OTHER, OTHER)
    await using mbox = open(file)
    const error = await failure(mbox.deliver(attempt(), message(SMALL), never))
    expect(error.message).toContain(`held by process ${2 ** 22 + 1} of user ${OTHER}`)
    const longAgo = Date.now() / 1000 - 1025
    fs.utimesSync(lock, longAgo, longAgo)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file)).toContain('Subject: kept')
    expect(fs.existsSync(lock)).toBe(false)
  })

  test('that others may write to has no journal either', async () => {
    const file = path.join(directory(), 'in')
    const lock = placed(file)
    fs.chmodSync(lock, 0o666)
    const longAgo = Date.now() / 1000 - 1025
    fs.utimesSync(lock, longAgo, longAgo)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file)).toContain('Subject: kept')
  })

  test('that is a link is never followed, and goes when it is old', async () => {
    const file = path.join(directory(), 'in')
    const lock = placed(file)
    fs.renameSync(lock, `${file}.elsewhere`)
    fs.symlinkSync(`${file}.elsewhere`, lock)
    await using mbox = open(file)
    expect(await failure(mbox.deliver(attempt(), message(SMALL), never))).toMatchObject({ retry: 'soon' })
    const longAgo = Date.now() / 1000 - 1025
    fs.lutimesSync(lock, longAgo, longAgo)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file)).toContain('Subject: kept')
    expect(fs.existsSync(`${file}.elsewhere`)).toBe(true)
  })
})

describe('what a killed popfetch left beside the mbox (S050)', () => {
  const owner = (pid: number, host = 'laptop', identity = IDENTITY): string =>
    `${pid}\n${JSON.stringify({ host, identity })}\n`
  const GONE = 2 ** 22 + 1

  test.each([
    ['of one that is gone', owner(GONE), 0, 'in.lock.4194305.0123456789ab', true],
    [
      'of a number that another process has now',
      owner(process.pid, 'laptop', 'x 1'),
      0,
      'in.lock.9.0123456789ab',
      true,
    ],
    ['of one that lives', owner(process.pid), 1e9, 'in.lock.9.0123456789ab', false],
    ['of another host', owner(GONE, 'other'), 0, 'in.lock.9.0123456789ab', false],
    ['that says nothing, and is young', '', 1023, 'in.lock.9.0123456789ab', false],
    ['that says nothing, and is old', '', 1025, 'in.lock.9.0123456789ab', true],
    ['of another mbox', owner(GONE), 0, 'inn.lock.9.0123456789ab', false],
    ['of another program', owner(GONE), 1e9, 'in.lock.9.0123456789ab.bak', false],
  ])('a file %s', async (_, content, ageSeconds, name, swept) => {
    const at = directory()
    fs.writeFileSync(path.join(at, name), content, { mode: 0o600 })
    const thenSeconds = NOW_MS / 1000 - ageSeconds
    fs.utimesSync(path.join(at, name), thenSeconds, thenSeconds)
    await using mbox = open(path.join(at, 'in'))
    await mbox.ready(never)
    expect(fs.existsSync(path.join(at, name))).toBe(!swept)
  })

  const ASIDE = 'in.lock.4194305.0123456789ab.stale'

  test.each([
    ['of a dead one, set aside by one that is gone', owner(GONE), owner(GONE), 0, true],
    ['of a dead one, set aside by one that has ended', owner(GONE), null, 0, true],
    ['of a dead one, which one that lives looks at', owner(GONE), owner(process.pid), 0, false],
    ['of one that lives, set aside by one that is gone', owner(process.pid), owner(GONE), 1e9, false],
    ['of another program, set aside by one that is gone', '1\n', owner(GONE), 1025, true],
    ['of another program, young', '1\n', owner(GONE), 1023, false],
  ])('a lock %s', async (_, content, taker, ageSeconds, swept) => {
    const at = directory()
    const aside = path.join(at, ASIDE)
    fs.writeFileSync(aside, content, { mode: 0o600 })
    if (taker !== null) fs.writeFileSync(aside.slice(0, -6), taker, { mode: 0o600 })
    const thenSeconds = NOW_MS / 1000 - ageSeconds
    fs.utimesSync(aside, thenSeconds, thenSeconds)
    await using mbox = open(path.join(at, 'in'))
    await mbox.ready(never)
    expect(fs.existsSync(aside)).toBe(!swept)
  })

  const LETTER = 'From a Mon Jan  5 00:00:00 2026\nSubject: kept\n\nkept\n\n'
  const HALF = 'From b Mon Jan  5 00:00:01 2026\nSubject: ha'
  const OTHERS = 'From c Mon Jan  5 00:00:02 2026\nSubject: other\n\nother\n\n'
  const LIKE = 'From b Mon Jan  5 00:00:01 2026\nSubject: whole\n\nwhole\n\n'
  const BEFORE = 1
  const AFTER = Date.now() / 1000 + 1e6

  test.each([
    [1, true],
    [1001, false],
  ])('is found by a process that goes on as well, in a folder of %d other names: %s', async (others, isFound) => {
    const at = directory()
    const file = path.join(at, 'in')
    for (let number = 0; number < others; number++) fs.writeFileSync(path.join(at, `user-${number}`), '')
    fs.writeFileSync(file, LETTER, { mode: 0o600 })
    await using mbox = open(file)
    await mbox.ready(never)
    // Another process dies in the middle of an append, a third one while it takes over its lock.
    const journal = { inode: fs.statSync(file).ino, sizeBytes: LETTER.length, fromLines: [HALF.slice(0, 32)] }
    fs.appendFileSync(file, HALF)
    fs.utimesSync(file, BEFORE, BEFORE)
    fs.writeFileSync(path.join(at, ASIDE), `${owner(GONE)}${JSON.stringify(journal)}\n`, { mode: 0o600 })
    await mbox.ready(never)
    expect(read(file)).toBe(isFound ? LETTER : LETTER + HALF)
    // Not forever.
    for (let polls = 0; polls < 12; polls++) await mbox.ready(never)
    expect(read(file)).toBe(LETTER)
  })

  test.each([
    ['set aside', ASIDE, HALF, BEFORE, ''],
    ['not yet the lock', ASIDE.slice(0, -6), HALF, BEFORE, ''],
    ['set aside, and somebody else appended since', ASIDE, `${HALF}\n\n${OTHERS}`, BEFORE, `${HALF}\n\n${OTHERS}`],
    ['set aside, and the mbox was written to since', ASIDE, LIKE, AFTER, LIKE],
    ['not yet the lock, and the mbox was written to since', ASIDE.slice(0, -6), LIKE, AFTER, LIKE],
  ])('the journal in a lock %s', async (_, name, more, changedSeconds, stays) => {
    const at = directory()
    const file = path.join(at, 'in')
    fs.writeFileSync(file, LETTER + more, { mode: 0o600 })
    fs.utimesSync(file, changedSeconds, changedSeconds)
    const journal = { inode: fs.statSync(file).ino, sizeBytes: LETTER.length, fromLines: [HALF.slice(0, 32)] }
    fs.writeFileSync(path.join(at, name), `${owner(GONE)}${JSON.stringify(journal)}\n`, { mode: 0o600 })
    await using mbox = open(file)
    await mbox.ready(never)
    expect(read(file)).toBe(LETTER + stays)
    expect(fs.readdirSync(at)).toEqual(['in'])
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(messages(file)).toHaveLength(stays === '' ? 2 : stays === LIKE ? 3 : 4)
  })
})
