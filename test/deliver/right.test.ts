// The right to deliver is lost while a file is on its way (D005; DESIGN 4.6): what is not visible yet stays invisible, and whoever has
// the right now delivers once.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { lostRights } from '../../src/deliver/right.ts'
import { leaseLost } from '../../src/ledger/lease.ts'
import { FaultyFileSystems, NFS } from '../support/faulty-filesystem.ts'
import { open as openMaildir } from './maildir/scene.ts'
import { messages, numbered, open as openMbox } from './mbox/scene.ts'
import { attempt, directory, failure, message, never, SMALL } from './scene.ts'

/** One that is lost as soon as `isLost` says so; `looks`: how often it was looked at. */
class Right {
  looks = 0
  readonly #isLost: () => boolean

  constructor(isLost: () => boolean) {
    this.#isLost = isLost
  }

  requireHeld(): void {
    this.looks++
    if (this.#isLost()) throw leaseLost('work')
  }
}

test('each right is looked at once, however many deliveries hang on it', () => {
  const [held, lost] = [new Right(() => false), new Right(() => true)]
  const deliveries = Array.from({ length: 100 }, (_, at) => ({ right: at % 3 === 0 ? lost : held }))
  expect(lostRights([...deliveries, {}]).size).toBe(34)
  expect([held.looks, lost.looks]).toEqual([1, 1])
})

describe('a Maildir', () => {
  test('looks when all files are complete in tmp/ and none is visible, and publishes none whose right is lost', async () => {
    const { root, maildir, files } = await openMaildir()
    const seen: (readonly number[])[] = []
    const sizes = (): readonly number[] => files('tmp').map((name) => fs.statSync(path.join(root, 'tmp', name)).size)
    const lost = new Right(() => {
      seen.push([...sizes(), -1, ...files().map(() => 0)])
      return true
    })
    const held = new Right(() => false)
    const tries = Array.from({ length: 6 }, (_, at) => ({ ...attempt(`uid-${at}`), right: at % 2 === 0 ? lost : held }))
    const results = await Promise.allSettled(tries.map((tried) => maildir.deliver(tried, message(SMALL), never)))
    const bytes = sizeOf(SMALL)
    expect(seen).toEqual([[...tries.map(() => bytes), -1]])
    expect(results.map(({ status }) => status)).toEqual(tries.map((_, at) => (at % 2 === 0 ? 'rejected' : 'fulfilled')))
    expect(files()).toHaveLength(3)
    expect(files('tmp')).toEqual([])
  })

  test('says that nothing was delivered: temporary, and of the message alone', async () => {
    const { maildir } = await openMaildir()
    const error = await failure(maildir.deliver({ ...attempt(), right: new Right(() => true) }, message(SMALL), never))
    expect([error.verdict, error.scope]).toEqual(['temporary', 'message'])
  })

  test('of a process that slept between the look and the publishing has nothing to publish when it wakes', async () => {
    const faults = new FaultyFileSystems(NFS)
    const sleeper = await openMaildir({ context: { fileSystems: faults } })
    const asleep = Promise.withResolvers<void>()
    const awake = Promise.withResolvers<void>()
    faults.before = (call) => {
      if (call !== 'link') return undefined
      asleep.resolve()
      return awake.promise
    }
    const tried = { ...attempt(), right: new Right(() => false) }
    const sleeping = failure(sleeper.maildir.deliver(tried, message(SMALL), never))
    await asleep.promise
    const other = await openMaildir({ config: { path: sleeper.root } })
    expect(await other.maildir.recall(tried, never)).toBe(null)
    await other.maildir.deliver(attempt(), message(SMALL), never)
    awake.resolve()
    expect((await sleeping).verdict).toBe('temporary')
    expect([other.files().length, other.files('tmp').length]).toEqual([1, 0])
  })
})

describe('an mbox', () => {
  test('looks under its lock, and appends nothing whose right is lost', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = openMbox(file)
    let wasLocked = false
    const lost = new Right(() => (wasLocked = fs.existsSync(`${file}.lock`)))
    const held = new Right(() => false)
    const tries = [lost, held, lost, held].map((right, at) =>
      mbox.deliver({ ...attempt(), right }, numbered(at), never),
    )
    const results = await Promise.allSettled(tries)
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled'])
    expect(messages(file)).toHaveLength(2)
    expect(wasLocked).toBe(true)
    expect((await failure(mbox.deliver({ ...attempt(), right: lost }, numbered(9), never))).verdict).toBe('temporary')
    expect([messages(file).length, fs.existsSync(`${file}.lock`)]).toEqual([2, false])
  })
})

/** With LF line ends. */
function sizeOf(bytes: Buffer): number {
  return bytes.toString('latin1').replaceAll('\r\n', '\n').length
}
