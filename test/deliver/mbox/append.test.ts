// Appending to an mbox, after a crash and where it fails (D101). Each call failing, and a kill at each: contract.test.ts.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
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

  test('nothing is cut off from a file that another program has rewritten', async () => {
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
})

describe('an append that fails', () => {
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
