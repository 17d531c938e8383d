// Files that popfetch does not append to (D103).
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { attempt, directory, failure, message, never, open, SMALL } from './scene.ts'

describe('a file that may not be written to (D103)', () => {
  test.each([
    ['a symbolic link', (file: string) => fs.symlinkSync('/dev/null', file), /is a symbolic link/],
    ['a symbolic link to nothing', (file: string) => fs.symlinkSync(`${file}-not-there`, file), /is a symbolic link/],
    ['a directory', (file: string) => fs.mkdirSync(file), /is not a regular file/],
    ['a pipe', (file: string) => execFileSync('mkfifo', [file]), /is not a regular file/],
    [
      'open to everybody',
      (file: string) => (fs.writeFileSync(file, ''), fs.chmodSync(file, 0o666)),
      /is world-writable/,
    ],
  ])('%s is refused, and nothing is made of it', async (_, make, expected) => {
    const file = path.join(directory(), 'in')
    make(file)
    await using mbox = open(file)
    for (const error of [
      await failure(mbox.ready(never)),
      await failure(mbox.deliver(attempt(), message(SMALL), never)),
    ]) {
      expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
      expect(error.message).toMatch(expected)
    }
    expect(fs.readdirSync(path.dirname(file))).toEqual(['in'])
  })

  test('with a second name is refused where anybody can make one, and taken elsewhere', async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(file, '', { mode: 0o600 })
    fs.linkSync(file, `${file}.second`)
    {
      await using mbox = open(file)
      await mbox.deliver(attempt(), message(SMALL), never)
    }
    fs.chmodSync(path.dirname(file), 0o1777)
    const before = fs.readFileSync(file, 'utf8')
    await using mbox = open(file)
    for (const error of [
      await failure(mbox.ready(never)),
      await failure(mbox.deliver(attempt(), message(SMALL), never)),
    ]) {
      expect(error.message).toMatch(/has 2 hard links/)
    }
    expect(fs.readFileSync(file, 'utf8')).toBe(before)
  })

  test("of somebody else is refused, root's popfetch included", async () => {
    const file = path.join(directory(), 'in')
    fs.writeFileSync(file, '')
    await using mbox = open(file, { uid: (process.getuid?.() ?? 0) + 1 })
    expect((await failure(mbox.ready(never))).message).toMatch(
      /belongs to user \d+, and popfetch runs as user \d+: run/,
    )
  })

  test('a special file such as /dev/null is refused', async () => {
    await using mbox = open('/dev/null')
    // Only root gets as far as to look at it: nobody else may make a lock in /dev.
    const refused = /is not a regular file|cannot make its lock/
    expect((await failure(mbox.ready(never))).message).toMatch(refused)
  })

  test('its directory is not made', async () => {
    const file = path.join(directory(), 'not', 'there')
    await using mbox = open(file)
    const error = await failure(mbox.ready(never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    expect(error.message).toMatch(/no such file or directory/)
    await expect(mbox.deliver(attempt(), message(SMALL), never)).rejects.toThrow('no such file or directory')
  })
})
