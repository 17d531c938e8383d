// Many small messages at once: the same files as one at a time, in the order that keeps them safe, whatever call fails.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Destination, Volley } from '../../../src/deliver/destination.ts'
import { fileName } from '../../../src/deliver/maildir/name.ts'
import { DeliveryError } from '../../../src/errors.ts'
import { receivedDateMs } from '../../../src/header.ts'
import { EXT4, FaultyFileSystems, NFS, TMPFS } from '../../support/faulty-filesystem.ts'
import { attempt, failure, message, never, NOW_MS, ON_TOP, open, SMALL, stoppedClock } from './scene.ts'

const held = { requireHeld: () => {} }

/** A volley with `SMALL` for each of these. */
function filled(maildir: Destination, attempts = [attempt('a'), attempt('b'), attempt('c')]): Volley {
  const volley = maildir.volleys?.()?.volley(SMALL)
  if (volley === undefined) throw new Error('no volleys here')
  for (const tried of attempts) volley.add(tried, SMALL, receivedDateMs(message(SMALL).header))
  return volley
}

function verdictOf(outcome: unknown): string {
  return outcome instanceof DeliveryError ? outcome.verdict : 'delivered'
}

describe('a volley', () => {
  test.each([
    ['lf', EXT4],
    ['lf', TMPFS],
    ['crlf', TMPFS],
  ] as const)('puts the same file there as a delivery does: %s, %i', async (lineEndings, type) => {
    const at = await Promise.all(
      ['one', 'volley'].map(() =>
        open({
          config: { lineEndings, mode: 0o640 },
          context: { fileSystems: new FaultyFileSystems(type), prefix: () => ON_TOP },
        }),
      ),
    )
    const [one, many] = [at[0]!, at[1]!]
    const tried = attempt()
    const receipt = await one.maildir.deliver(tried, message(SMALL), never)
    const receipts = await filled(many.maildir, [tried]).deliver(held, never)
    expect(receipts).toEqual([{ text: receipt.text.replace(one.root, many.root) }])
    expect(many.files()).toEqual(one.files())
    expect(many.read()).toEqual(one.read())
    const [a, b] = [one, many].map((scene) => fs.statSync(path.join(scene.root, 'new', scene.files()[0]!)))
    expect([b!.mtimeMs, b!.mode]).toEqual([a!.mtimeMs, a!.mode])
  })

  test('syncs every file before the first is visible, and new/ behind the last', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    const volley = filled(maildir)
    faults.made.length = 0
    let before: readonly string[] = []
    const looks = (): void => {
      before = [...faults.made]
      expect(files()).toEqual([])
    }
    const outcomes = await volley.deliver({ requireHeld: looks }, never)
    expect(outcomes.map(verdictOf)).toEqual(['delivered', 'delivered', 'delivered'])
    expect(before).toEqual(['fsync', 'fsync', 'fsync'])
    const each = ['close', 'link', 'unlink']
    expect(faults.made.slice(3)).toEqual([...each, ...each, ...each, 'open', 'fsync', 'close'])
    expect([files().length, files('tmp').length]).toEqual([3, 0])
  })

  test('shows nothing when the right is lost', async () => {
    const { maildir, files } = await open({ context: { fileSystems: new FaultyFileSystems(TMPFS) } })
    const lost = (): void => {
      throw new Error('somebody else has the right')
    }
    const outcomes = await filled(maildir).deliver({ requireHeld: lost }, never)
    expect(outcomes.map(verdictOf)).toEqual(['temporary', 'temporary', 'temporary'])
    expect([...files(), ...files('tmp')]).toEqual([])
  })

  test('one message of it fails alone', async () => {
    const { maildir, files, root } = await open({ context: { fileSystems: new FaultyFileSystems(TMPFS) } })
    const unlucky = attempt('unlucky')
    fs.writeFileSync(path.join(root, 'tmp', fileName(unlucky, 'laptop', NOW_MS)), 'somebody else')
    const outcomes = await filled(maildir, [attempt('a'), unlucky, attempt('b')]).deliver(held, never)
    expect(outcomes.map(verdictOf)).toEqual(['delivered', 'temporary', 'delivered'])
    expect(outcomes[1]).toMatchObject({ scope: 'message' })
    expect([files().length, files('tmp').length]).toEqual([2, 1])
  })

  test('has space for so many, or says that it has not', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir } = await open({ context: { fileSystems: faults } })
    await maildir.volleys?.()?.reserve(64, 1_000_000)
    faults.freeBytes = 101_000_000
    await maildir.ready(never)
    const volleys = maildir.volleys?.()
    if (volleys === undefined || volleys === null) throw new Error('no volleys here')
    await volleys.reserve(200, 1000)
    faults.freeBytes = 100_300_000
    expect(await failure(volleys.reserve(100, 1000))).toMatchObject({ verdict: 'temporary', scope: 'destination' })
  })

  test('is not for file systems whose calls may hang, nor before somebody asked whether it is ready', async () => {
    const { maildir } = await open({ context: { fileSystems: new FaultyFileSystems(NFS) } })
    expect(maildir.volleys?.()).toBeNull()
  })

  test('that hangs ends in time, and what is not visible then never will be', async () => {
    using clock = stoppedClock()
    const faults = new FaultyFileSystems(EXT4)
    const { maildir, files } = await open({ context: { fileSystems: faults, limitMs: 60_000 } })
    const hung = Promise.withResolvers<void>()
    faults.before = (call) => (call === 'fsync' ? hung.promise : undefined)
    const volley = filled(maildir)
    const delivering = volley.deliver(held, never)
    clock.pass(60_001)
    expect((await delivering).map(verdictOf)).toEqual(['temporary', 'temporary', 'temporary'])
    hung.resolve()
    await faults.quiet()
    expect([...files(), ...files('tmp')]).toEqual([])
  })

  test('that is stopped ends at once', async () => {
    const faults = new FaultyFileSystems(EXT4)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    const hung = Promise.withResolvers<void>()
    faults.before = (call) => (call === 'fsync' ? hung.promise : undefined)
    const stop = new AbortController()
    const delivering = filled(maildir).deliver(held, stop.signal)
    stop.abort(new Error('stopped'))
    const outcomes = await delivering
    expect(outcomes.map(verdictOf)).toEqual(['temporary', 'temporary', 'temporary'])
    expect(outcomes[0]).toMatchObject({ scope: 'message' })
    hung.resolve()
    await faults.quiet()
    expect([...files(), ...files('tmp')]).toEqual([])
  })
})

describe('when a call fails in a volley', () => {
  const types = [
    [EXT4, 'EIO', false],
    [TMPFS, 'EACCES', false],
    [EXT4, 'EIO', true],
  ] as const
  test.each(types)('what is said of each message is so: file system %i, %s, and all after it: %s', async (...given) => {
    const [type, errno, forGood] = given
    for (let failing = 1; ; failing++) {
      const faults = new FaultyFileSystems(type)
      const scene = await open({ config: { mode: 0o640 }, context: { fileSystems: faults, prefix: () => ON_TOP } })
      faults.calls = 0
      faults.made.length = 0
      Object.assign(faults, { failing, errno, forGood })
      const attempts = [attempt('a'), attempt('b'), attempt('c')]
      const outcomes = await filled(scene.maildir, attempts).deliver(held, never)
      const failed = faults.made[failing - 1]
      if (failed === undefined) {
        expect(failing).toBeGreaterThan(20)
        return
      }
      for (const [at, { intent }] of attempts.entries()) {
        const verdict = verdictOf(outcomes[at])
        const isThere = scene.files().some((name) => name.includes(`I${intent}.`))
        if (verdict === 'delivered') expect([failed, verdict, isThere]).toEqual([failed, verdict, true])
        if (verdict === 'temporary') expect([failed, verdict, isThere]).toEqual([failed, verdict, false])
        if (verdict === 'unknown') expect(forGood).toBe(true)
      }
      if (!forGood) {
        const left = outcomes.every((outcome) => verdictOf(outcome) === 'delivered') && failed === 'unlink' ? 1 : 0
        expect([failed, scene.files('tmp').length]).toEqual([failed, left])
      }
    }
  })

  test('a link that was made though an error came counts as made', async () => {
    const faults = new FaultyFileSystems(TMPFS)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    faults.errors.set('link', { errno: 'EIO', performs: true })
    const outcomes = await filled(maildir).deliver(held, never)
    expect(outcomes.map(verdictOf)).toEqual(['delivered', 'delivered', 'delivered'])
    expect([files().length, files('tmp').length]).toEqual([3, 0])
  })

  test('without links it is renamed', async () => {
    const faults = new FaultyFileSystems(TMPFS)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    faults.errors.set('link', { errno: 'EPERM', performs: false })
    const outcomes = await filled(maildir).deliver(held, never)
    expect(outcomes.map(verdictOf)).toEqual(['delivered', 'delivered', 'delivered'])
    expect([files().length, files('tmp').length]).toEqual([3, 0])
  })

  test('new/ that cannot be synced: what is withdrawn is told as not delivered', async () => {
    const faults = new FaultyFileSystems(TMPFS)
    const { maildir, files } = await open({ context: { fileSystems: faults } })
    const volley = filled(maildir)
    const fails = (): void => void faults.errors.set('open', { errno: 'EIO', performs: false })
    const outcomes = await volley.deliver({ requireHeld: fails }, never)
    expect(outcomes.map(verdictOf)).toEqual(['temporary', 'temporary', 'temporary'])
    expect([...files(), ...files('tmp')]).toEqual([])
  })
})
