// A copy is put in the ledger's place (S047): whole or not at all, only while nobody is at work, and what was there is kept.
import { once } from 'node:events'
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { restoreLedger } from '../../../src/ledger/sqlite/restore.ts'
import { keysOf } from '../contract/samples.ts'
import { processAt } from '../kind.ts'
import { beginning, key, leaseOf, temporaryDirectory } from '../scene.ts'
import { sqlite } from './kind.ts'

interface Scene {
  readonly path: string
  /** Knows `a` alone, the ledger itself `b` as well. */
  readonly copy: string
}

async function scene(): Promise<Scene> {
  const directory = await temporaryDirectory()
  const [path, copy] = [join(directory, 'state', 'state.db'), join(directory, 'copy.db')]
  await using ledger = await openLedger(path)
  await using lease = await leaseOf(ledger, 'work')
  await ledger.begin(lease, [beginning(key('a'))])
  await ledger.records.backup(copy)
  await ledger.begin(lease, [beginning(key('b'))])
  return { path, copy }
}

async function knownAt(path: string): Promise<readonly string[]> {
  await using ledger = await openLedger(path)
  return (await keysOf(ledger, 'all', 'work')).map(({ uidl }) => uidl)
}

const filesBeside = (path: string): readonly string[] =>
  readdirSync(dirname(path)).filter((name) => !name.endsWith('.leases'))

test('is the ledger then, says so to the next poll, and what was there before is a ledger beside it', async () => {
  const { path, copy } = await scene()
  const restored = await restoreLedger(path, copy, { nowMs: () => 1e12 })
  expect(restored).toMatchObject({ accounts: 1, messages: 1, place: path })
  expect(restored.kept).toMatch(/state\.db\.before-restore-20010909T014640000Z-[0-9a-f]{4}$/)
  expect(filesBeside(path)).toEqual(['state.db', basename(restored.kept ?? '')])
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(await knownAt(path)).toEqual(['a'])
  expect(await knownAt(restored.kept ?? '')).toEqual(['a', 'b'])
  await using ledger = await openLedger(path)
  expect((await ledger.account('work'))?.facts['restored']).toBe('1000000000000')
  await using lease = await ledger.lease('work')
  expect(lease).not.toBeNull()
  // The copy itself can be used again.
  expect(readFileSync(copy).length).toBeGreaterThan(0)
})

/** What is in the ledger's place. */
const BEFORE: Readonly<Record<string, (path: string) => void>> = {
  'that is gone': (path) => rmSync(path),
  'that is gone, though its log is there': (path) => {
    rmSync(path)
    writeFileSync(`${path}-wal`, 'x')
  },
  'that is empty': (path) => truncateSync(path),
  'that was cut off': (path) => truncateSync(path, 5000),
  'that is no ledger': (path) => writeFileSync(path, 'not a ledger at all '.repeat(100)),
  'with the log of a killed process': (path) => writeFileSync(`${path}-wal`, Buffer.alloc(9000, 7)),
  'that has a second name since an earlier restoring was killed': (path) => linkSync(path, `${path}.before-restore-1`),
}

const SOUND = ['log of a killed', 'second name']

test.each(Object.entries(BEFORE))('takes the place of one %s', async (what, spoil) => {
  const { path, copy } = await scene()
  spoil(path)
  const before = existsSync(path) ? readFileSync(path) : null
  const { kept } = await restoreLedger(path, copy)
  expect(kept === null).toBe(before === null)
  if (SOUND.some((sound) => what.includes(sound))) expect(await knownAt(kept ?? '')).toEqual(['a', 'b'])
  else expect(kept === null ? null : readFileSync(kept)).toEqual(before)
  expect(await knownAt(path)).toEqual(['a'])
  const database = new DatabaseSync(path)
  expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  database.close()
})

/** What is given as the copy. */
const WRONG: Readonly<Record<string, readonly [spoil: (copy: string) => void, said: string]>> = {
  'is not there': [(copy) => rmSync(copy), 'there is no such file'],
  'is empty': [(copy) => truncateSync(copy), 'it is not a popfetch ledger'],
  'is no database': [(copy) => writeFileSync(copy, 'x'.repeat(5000)), 'file is not a database'],
  'was cut off': [(copy) => truncateSync(copy, 8192), 'malformed'],
  'is of another program': [
    (copy) => {
      const database = new DatabaseSync(copy)
      database.exec('PRAGMA application_id = 7')
      database.close()
    },
    'it is not a popfetch ledger',
  ],
  'is of a newer popfetch': [
    (copy) => {
      const database = new DatabaseSync(copy)
      database.exec('PRAGMA user_version = 99')
      database.close()
    },
    'a newer popfetch has written it',
  ],
  'has a damaged page': [
    (copy) => {
      const bytes = readFileSync(copy)
      bytes.fill(0xee, 3 * 4096 + 8, 3 * 4096 + 200)
      writeFileSync(copy, bytes)
    },
    'it is damaged',
  ],
}

test.each(Object.entries(WRONG))('one that %s changes nothing, and is named', async (_, [spoil, said]) => {
  const { path, copy } = await scene()
  spoil(copy)
  const before = filesBeside(path)
  await expect(restoreLedger(path, copy)).rejects.toMatchObject({
    code: 'ERR_LEDGER',
    message: expect.stringMatching(new RegExp(`^cannot restore the ledger from .*copy\\.db: .*${said}`)) as string,
  })
  expect(filesBeside(path)).toEqual(before)
  expect(await knownAt(path)).toEqual(['a', 'b'])
})

test('the ledger itself is no copy', async () => {
  const { path } = await scene()
  await expect(restoreLedger(path, path)).rejects.toMatchObject({ code: 'ERR_LEDGER' })
  expect(await knownAt(path)).toEqual(['a', 'b'])
})

describe('while another popfetch is at work', () => {
  const AT_WORK = { code: 'ERR_BUSY', message: expect.stringContaining('popfetch stop') as string }

  test('nothing is changed: neither a poll nor one that only waits has its ledger taken away', async () => {
    const { path, copy } = await scene()
    const other = processAt(sqlite, { name: path }, 'holder.ts')
    expect(await other.line()).toBe('ready')
    await expect(restoreLedger(path, copy, { busyLimitMs: 50 })).rejects.toMatchObject(AT_WORK)
    other.process.stdin?.write('take work\n')
    expect(await other.line()).toBe('work yes')
    await expect(restoreLedger(path, copy, { busyLimitMs: 50 })).rejects.toMatchObject(AT_WORK)
    expect(await knownAt(path)).toEqual(['a', 'b'])
    other.process.kill('SIGKILL')
    await once(other.process, 'exit')
    await restoreLedger(path, copy)
    expect(await knownAt(path)).toEqual(['a'])
  })

  test('a damaged one is not replaced either, until the other one has ended', async () => {
    const { path, copy } = await scene()
    const other = processAt(sqlite, { name: path }, 'holder.ts')
    expect(await other.line()).toBe('ready')
    other.process.stdin?.write('take work\n')
    expect(await other.line()).toBe('work yes')
    writeFileSync(path, 'not a ledger at all '.repeat(1000))
    await expect(restoreLedger(path, copy, { busyLimitMs: 50 })).rejects.toMatchObject(AT_WORK)
    other.process.kill('SIGKILL')
    await once(other.process, 'exit')
    await restoreLedger(path, copy)
    expect(await knownAt(path)).toEqual(['a'])
  })

  test('one that was deleted below it is put back, and it goes on with that', async () => {
    const { path, copy } = await scene()
    await using running = await openLedger(path)
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
    await expect(running.account('work')).rejects.toMatchObject({ code: 'ERR_LEDGER' })
    await restoreLedger(path, copy)
    await using lease = await running.lease('work')
    expect(lease?.record?.known).toBe(1)
  })

  test('who opens the ledger at that moment keeps it from being replaced, or gets the copy', async () => {
    const { path, copy } = await scene()
    for (let round = 0; round < 5; round++) {
      const [restored, ...opened] = await Promise.allSettled([
        restoreLedger(path, copy, { busyLimitMs: 0 }),
        ...Array.from({ length: 3 }, () => openLedger(path)),
      ])
      const ledgers = opened.flatMap((one) => (one.status === 'fulfilled' && 'lease' in one.value ? [one.value] : []))
      expect(ledgers.length).toBe(3)
      const expected = restored.status === 'fulfilled' ? 1 : 2
      for (const ledger of ledgers) {
        // At the first look at the latest it is noticed, and opened again.
        await ledger.account('work').catch(() => null)
        expect((await ledger.account('work'))?.known).toBe(expected)
        await ledger[Symbol.asyncDispose]()
      }
      if (expected === 1) return
    }
  })
})
