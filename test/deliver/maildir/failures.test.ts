// A file system call that fails, whichever it is: nothing is visible unless the verdict is unknown.
import { concludeDisk } from '../../../src/deliver/answers/disk.ts'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Attempt } from '../../../src/deliver/destination.ts'
import { fileName } from '../../../src/deliver/maildir/name.ts'
import { DeliveryError } from '../../../src/errors.ts'
import { EXT4, FaultyFileSystems, NFS, TMPFS } from '../../support/faulty-filesystem.ts'
import {
  attempt,
  failure,
  large,
  message,
  never,
  NOW_MS,
  ON_TOP,
  open,
  type Scene,
  SMALL,
  spooled,
  spoolFor,
} from './scene.ts'

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
          const { conclusion, exit } = concludeDisk(errno)
          expect(outcome).toMatchObject({ verdict: 'temporary', scope: 'destination', conclusion, exit })
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
