// The folders of a Maildir: made, checked, made durable, swept.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Destination } from '../../../src/deliver/destination.ts'
import { Reserve } from '../../../src/deliver/disk/reserve.ts'
import { openMaildir } from '../../../src/deliver/maildir/maildir.ts'
import { fileName } from '../../../src/deliver/maildir/name.ts'
import { EXT4, FaultyFileSystems } from '../../support/faulty-filesystem.ts'
import { attempt, directory, failure, HOUR_MS, message, never, NOW_MS, open, SMALL } from './scene.ts'

describe('the folders', () => {
  test('are made, private, with those above them', async () => {
    const root = path.join(directory(), 'a', 'b', 'Mail')
    await open({ config: { path: root } })
    for (const folder of [path.dirname(root), root, path.join(root, 'cur')]) {
      expect(fs.statSync(folder).mode & 0o777).toBe(0o700)
    }
  })

  describe.each([0o000, 0o022, 0o077])('with the umask %o', (umask) => {
    test.each([
      [0o600, 0o700],
      [0o640, 0o750],
      [0o660, 0o770],
      [0o644, 0o755],
      [0o664, 0o775],
      [0o604, 0o705],
    ])('and messages of mode %o are made with mode %o, each of them', async (mode, wanted) => {
      const base = directory()
      const root = path.join(base, 'a', 'b', '.Junk')
      const before = process.umask(umask)
      try {
        await open({ config: { path: root, mode } })
      } finally {
        process.umask(before)
      }
      const made = [path.dirname(path.dirname(root)), path.dirname(root), root, ...foldersIn(root)]
      expect(made.map((folder) => [path.relative(base, folder), modeOf(folder)])).toEqual(
        ['a', 'a/b', 'a/b/.Junk', 'a/b/.Junk/cur', 'a/b/.Junk/new', 'a/b/.Junk/tmp'].map((name) => [name, wanted]),
      )
    })
  })

  test('keep the mode that they have where they exist, whatever mode messages have', async () => {
    const root = path.join(directory(), 'Mail')
    fs.mkdirSync(root, { mode: 0o711 })
    fs.mkdirSync(path.join(root, 'new'), { mode: 0o700 })
    await open({ config: { path: root, mode: 0o640 } })
    expect([root, ...foldersIn(root)].map(modeOf)).toEqual([0o711, 0o750, 0o700, 0o750])
  })

  test('take the group from the one above and hand it on, where that is so (2750)', async () => {
    const base = directory()
    fs.chmodSync(base, 0o2750)
    const root = path.join(base, 'Mail')
    await open({ config: { path: root, mode: 0o640 } })
    expect([root, ...foldersIn(root)].map(modeOf)).toEqual([0o2750, 0o2750, 0o2750, 0o2750])
  })

  test('are durable with their mode', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const calls: string[] = []
    faults.before = (call) => {
      if (['mkdir', 'fchmod', 'fsync'].includes(call)) calls.push(call)
    }
    const root = path.join(directory(), 'Mail')
    await open({ config: { path: root, mode: 0o640 }, context: { fileSystems: faults } })
    const one = ['mkdir', 'fchmod', 'fsync', 'fsync']
    expect(calls.filter((call, at) => call !== 'mkdir' || calls[at + 1] === 'fchmod')).toEqual(
      [one, one, one, one].flat(),
    )
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
    [
      'missing, with create: false',
      (root: string) => fs.rmdirSync(path.join(root, 'cur')),
      'does not exist: create it',
    ],
    ['a file', (root: string) => replace(root, 'new', (at) => fs.writeFileSync(at, '')), 'not a directory'],
    ['a link', (root: string) => replace(root, 'tmp', (at) => fs.symlinkSync('/tmp', at)), 'is a symbolic link'],
    ['open to everybody', (root: string) => fs.chmodSync(path.join(root, 'new'), 0o777), 'is world-writable'],
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

  test.each([
    ['below a link to nothing', 'link/Mail'],
    ['far below a link to nothing', 'link/a/b/Mail'],
    ['that is a link to nothing', 'link'],
    ['below a link to itself', 'round/Mail'],
    ['below a file', 'file/Mail'],
    ['below a link to a file', 'file-link/Mail'],
    ['in /proc', '/proc/x'],
    ['far below /proc', '/proc/x/y/Mail'],
    ['in /sys', '/sys/x'],
    ['in /dev/fd', '/dev/fd/x/y'],
  ])('of a Maildir %s are one clear error, and no endless loop (D124)', async (_, where) => {
    const base = directory()
    fs.symlinkSync(path.join(base, 'nowhere'), path.join(base, 'link'))
    fs.symlinkSync('round', path.join(base, 'round'))
    fs.writeFileSync(path.join(base, 'file'), '')
    fs.symlinkSync('file', path.join(base, 'file-link'))
    const root = path.resolve(base, where)
    const error = await failure(openAgain(root, process.getuid?.() ?? null, true).ready(never))
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination', conclusion: 'ACT' })
    expect(error.message).toMatch(/^maildir .*: /)
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

  function openAgain(root: string, uid: number | null, create = false): Destination {
    return openMaildir(
      { path: root, create, lineEndings: 'lf', mode: 0o600, date: 'now', description: 'maildir ~/Mail' },
      { hostName: 'laptop', nowMs: () => NOW_MS, prefix: () => '', reserve: new Reserve(), uid },
    )
  }
})

function foldersIn(root: string): readonly string[] {
  return ['cur', 'new', 'tmp'].map((name) => path.join(root, name))
}

function modeOf(folder: string): number {
  return fs.statSync(folder).mode & 0o7777
}
