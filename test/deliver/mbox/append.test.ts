// Appending to an mbox, whatever fails: after a crash, and every call failing once (D101).
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Attempt } from '../../../src/deliver/destination.ts'
import { DeliveryError } from '../../../src/errors.ts'
import { EXT4, FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import {
  asLf,
  attempt,
  directory,
  failure,
  inFile,
  message,
  messages,
  never,
  numbered,
  open,
  read,
  SMALL,
} from './scene.ts'

/** As a popfetch that was killed leaves them: a lock that says what was to be appended, and some of it. */
function abandoned(file: string, before: string, part: string, fromLines: readonly string[]): void {
  fs.writeFileSync(file, before + part)
  const { ino } = fs.statSync(file)
  const journal = { inode: ino, sizeBytes: before.length, fromLines }
  const owner = { host: 'laptop', identity: '' }
  fs.writeFileSync(`${file}.lock`, `${2 ** 22 + 1}\n${JSON.stringify(owner)}\n${JSON.stringify(journal)}\n`)
}

describe('after a crash (D101)', () => {
  const before = 'From old Mon Jan  1 00:00:00 2026\n\nold\n\n'
  const ours = ['From a@b.c Tue Nov 24 13:10:22 2026\n', 'From MAILER-DAEMON Tue Nov 24 13:10:22 2026\n']
  const whole = `${ours[0]}Subject: 1\n\n>From x\n\n${ours[1]}Subject: 2\n\n`

  test('what was half written is taken back before anything else, wherever it broke off', async () => {
    for (let at = 0; at <= whole.length; at++) {
      const file = path.join(directory(), 'in')
      abandoned(file, before, whole.slice(0, at), ours)
      await using mbox = open(file, { trace: false })
      await mbox.deliver(attempt(), message(SMALL), never)
      expect(read(file), `cut at ${at}`).toBe(
        `${before}From MAILER-DAEMON Tue Nov 24 13:10:22 2026\n${asLf(SMALL).toString('latin1')}\n`,
      )
    }
  })

  test('so is the line end that was written to begin with', async () => {
    const file = path.join(directory(), 'in')
    abandoned(file, before.trimEnd(), `\n\n${whole.slice(0, 50)}`, ours)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file).split('\nFrom ')).toHaveLength(2)
  })

  test.each([
    ['a message of somebody else after it', `${ours[0]}Subj\n\nFrom eve@x.y Tue Nov 24 13:10:23 2026\n\nnew\n\n`],
    ['only a message of somebody else', 'From eve@x.y Tue Nov 24 13:10:23 2026\n\nnew\n\n'],
    ['something that is no message', 'Status: RO\n'],
    ['a very long From_ line of somebody else', `${ours[0]}Subj\n\nFrom ${'x'.repeat(300_000)}\n\n`],
  ])('nothing is cut off where there is %s', async (_, part) => {
    const file = path.join(directory(), 'in')
    abandoned(file, before, part, ours)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file).startsWith(before + part)).toBe(true)
  })

  test('nothing is cut off from a file that another program has written anew', async () => {
    const file = path.join(directory(), 'in')
    abandoned(file, before, whole, ours)
    fs.writeFileSync(`${file}.new`, before + whole)
    fs.renameSync(`${file}.new`, file)
    await using mbox = open(file)
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(read(file).startsWith(before + whole)).toBe(true)
  })

  test('a lock that was left after all was durable, as after a power cut, takes nothing back', async () => {
    const file = path.join(directory(), 'in')
    const faulty = new FaultyFileSystems(EXT4)
    let left = ''
    faulty.before = (call, subject) => {
      if (call === 'unlink' && subject === `${file}.lock`) left = read(`${file}.lock`)
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    await mbox.deliver(attempt(), message(SMALL), never)
    fs.writeFileSync(`${file}.lock`, left.replace(/^\d+/, String(2 ** 22 + 1)))
    await mbox.deliver(attempt(), numbered(2), never)
    expect(messages(file)).toHaveLength(2)
  })

  test('killed at any call, with the same message tried again as the ledger would, it is there once', async () => {
    const folder = directory()
    const victim = path.join(import.meta.dirname, 'mbox-victim.ts')
    /** True: it was through before that call. */
    const one = async (call: number): Promise<boolean> => {
      const file = path.join(folder, String(call))
      fs.writeFileSync(file, before)
      const child = spawn(process.execPath, [victim, file, String(call)], { stdio: 'ignore' })
      const code = await new Promise<number | null>((resolve) => child.on('exit', resolve))
      await using mbox = open(file, { hostName: 'laptop' })
      const tried: Attempt = { ...attempt(), intent: '00112233aabbccdd' }
      if ((await mbox.recall(tried, never)) === null) await mbox.deliver(attempt(), message(SMALL), never)
      const text = asLf(SMALL).toString('latin1')
      expect(messages(file), `killed at call ${call}`).toEqual(['\nold\n', text])
      expect(fs.existsSync(`${file}.lock`)).toBe(false)
      return code === 0
    }
    for (let call = 1; ; call += 4) {
      const through = await Promise.all([0, 1, 2, 3].map((more) => one(call + more)))
      if (through.includes(true)) break
    }
  }, 60_000)
})

describe('every call failing once', () => {
  test.each(['ENOSPC', 'EIO'])(
    'with %s: only whole messages, nothing visible after temporary, there after a second try',
    async (errno) => {
      for (let failing = 1; ; failing++) {
        const folder = directory()
        const file = path.join(folder, 'in')
        fs.writeFileSync(file, 'From old Mon Jan  1 00:00:00 2026\n\nold\n\n')
        const faulty = new FaultyFileSystems(EXT4)
        faulty.errno = errno
        faulty.failing = failing
        faulty.writeBytes = 100
        await using mbox = open(file, { fileSystem: faulty.offLoop })
        const tried = attempt()
        const sent = inFile(folder, SMALL)
        const error = await mbox.deliver(tried, sent, never).then(
          () => null,
          (thrown: unknown) => thrown,
        )
        faulty.failing = 0
        if (error !== null) {
          expect(error, `call ${failing}`).toBeInstanceOf(DeliveryError)
          if (error instanceof DeliveryError && error.verdict === 'temporary') expect(messages(file)).toHaveLength(1)
          fs.rmSync(`${file}.lock`, { force: true })
          if ((await mbox.recall(tried, never)) === null) await mbox.deliver(attempt(), sent, never)
        }
        expect(messages(file), `call ${failing}`).toEqual(['\nold\n', asLf(SMALL).toString('latin1')])
        expect(
          fs.readdirSync(folder).filter((name) => name !== 'in' && name !== 'spool' && !name.includes('.lock')),
        ).toEqual([])
        if (faulty.calls < failing) break
      }
    },
  )

  test('a disk that stays full leaves the file as it was, and it is not downloaded for again', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    const faulty = new FaultyFileSystems(EXT4)
    faulty.freeBytes = 1000
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    const error = await failure(mbox.ready(never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    expect(error.message).toMatch(/no space left/)
    expect(await failure(mbox.deliver(attempt(), message(SMALL), never))).toMatchObject({ scope: 'destination' })
    expect(messages(file)).toEqual([])
  })

  test('what cannot be taken back may be there: unknown, and the recall knows that it is not', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    const faulty = new FaultyFileSystems(EXT4)
    const bytes = Buffer.alloc(600_000, 'line\r\n')
    let writes = 0
    faulty.before = (call) => {
      if (call === 'write' && ++writes === 4) {
        faulty.errors.set('write', { errno: 'ENOSPC', performs: false })
        faulty.errors.set('ftruncate', { errno: 'EIO', performs: false })
      }
    }
    await using mbox = open(file, { fileSystem: faulty.offLoop })
    const tried = attempt()
    expect(await failure(mbox.deliver(tried, inFile(folder, bytes), never))).toMatchObject({ verdict: 'unknown' })
    faulty.errors.clear()
    expect(read(file)).toContain('line')
    expect(await mbox.recall(tried, never)).toBeNull()
    await mbox.deliver(attempt(), message(SMALL), never)
    expect(messages(file).at(-1)).toBe(asLf(SMALL).toString('latin1'))
  })
})
