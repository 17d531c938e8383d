// The step that makes a file visible, on file systems and servers that do it otherwise (D005, D011).
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileName, sizedName } from '../../../src/deliver/maildir/name.ts'
import { EXT4, FaultyFileSystems, NFS, TMPFS } from '../../support/faulty-filesystem.ts'
import { asLf, attempt, failure, message, never, NOW_MS, open, SMALL } from './scene.ts'

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
    expect(error).toMatchObject({ verdict: 'temporary', scope: 'destination', conclusion: 'ACT' })
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
