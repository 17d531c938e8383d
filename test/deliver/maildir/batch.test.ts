// Many deliveries to one Maildir at once, and what ends a wait.
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { intentOf } from '../../../src/deliver/maildir/name.ts'
import { EXT4, FaultyFileSystems, NFS } from '../../support/faulty-filesystem.ts'
import { attempt, failure, message, never, open, SMALL, stoppedClock } from './scene.ts'

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

  test('count only once new/ is synced, behind the last link', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    const all = [attempt('a'), attempt('b'), attempt('c')]
    faults.made.length = 0
    const made = (name: string): number => faults.made.filter((call) => call === name).length
    const reached = Promise.withResolvers<string>()
    const gate = Promise.withResolvers<void>()
    onTestFinished(() => gate.resolve())
    faults.before = (call) => {
      if (call !== 'fsync' || made('fsync') <= all.length) return undefined
      reached.resolve('new/ is being synced')
      return gate.promise
    }
    let counted = 0
    const delivering = Promise.all(
      all.map((tried) => maildir.deliver(tried, message(SMALL, tried.origin), never).then(() => counted++)),
    )
    expect(await Promise.race([reached.promise, delivering])).toBe('new/ is being synced')
    // Whoever does not wait is ahead.
    for (let turns = 0; turns < 20; turns++) await turn()
    expect([counted, files().length, made('link')]).toEqual([0, 3, 3])
    gate.resolve()
    await delivering
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

  test('ends without a signal too', async () => {
    const faults = new FaultyFileSystems(NFS)
    using clock = stoppedClock()
    const { maildir } = await open({ context: { fileSystems: faults, limitMs: 200 } })
    faults.hanging.add('open')
    const opening = faults.hangs()
    const delivering = failure(maildir.deliver(attempt(), message(SMALL), never))
    await opening
    clock.pass(300)
    expect(await delivering).toMatchObject({ verdict: 'temporary', scope: 'destination' })
    faults.hanging.add('lstat')
    const hung = faults.hangs()
    const looking = failure(maildir.ready(never))
    await hung
    clock.pass(300)
    expect((await looking).message).toContain('the file system does not answer')
  })

  test.each([
    ['the write', 'write', 1, 'close', 'temporary'],
    ['the fsync', 'fsync', 1, 'unlink', 'temporary'],
    ['the fsync of new/', 'fsync', 2, 'unlink', 'unknown'],
  ] as const)('ends when %s fails and what takes it back never returns', async (_, failing, nth, hanging, verdict) => {
    const faults = new FaultyFileSystems(NFS)
    using clock = stoppedClock()
    const { maildir } = await open({ context: { fileSystems: faults, limitMs: 200 } })
    const hangs = faults.hangs()
    let count = 0
    faults.before = (call) => {
      if (call !== failing || ++count < nth) return
      faults.hanging.add(hanging)
      throw Object.assign(new Error('injected'), { code: 'EIO' })
    }
    const delivering = failure(maildir.deliver(attempt(), message(SMALL), never))
    await hangs
    clock.pass(300)
    expect((await delivering).verdict).toBe(verdict)
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
})
