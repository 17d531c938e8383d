// The dot lock of an mbox (D100).
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { identityOf } from '../../../src/deliver/mbox/lock.ts'
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

  test('is only for its owner to read: senders stand in it', async () => {
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
})
