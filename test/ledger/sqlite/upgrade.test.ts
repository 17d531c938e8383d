// `state upgrade`: what takes away waits for it, is done whole or not at all, and only where nobody is at work.
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { MIGRATIONS, migrate, REMOVALS, type Removal } from '../../../src/ledger/sqlite/schema/migrations.ts'
import { upgradeLedger } from '../../../src/ledger/sqlite/mend/upgrade.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { readVersion, type Version } from '../../../src/ledger/sqlite/schema/version.ts'
import { key, leaseOf, temporaryDirectory } from '../scene.ts'

const STEPS = MIGRATIONS.length
const TAKES: Removal = { sql: 'ALTER TABLE message DROP COLUMN last_listed_ms', oldest: STEPS }

async function ledgerAt(): Promise<string> {
  const path = join(await temporaryDirectory(), 'state.db')
  await using ledger = await openLedger(path)
  await using lease = await leaseOf(ledger, 'a')
  await ledger.see(lease, [{ key: key('x'), listedBytes: 1 }])
  return path
}

function versionAt(path: string): Version {
  const database = new DatabaseSync(path, { readOnly: true })
  const version = readVersion(database)
  database.close()
  return version
}

const filesOf = async (path: string): Promise<readonly string[]> =>
  (await readdir(dirname(path))).filter((name) => /^state\.db(\.v\d+|\.new.*)?$/.test(name)).toSorted()

test('what takes away names the version that does without, in their order, and no later one than there is', () => {
  const numbers = REMOVALS.map(({ oldest }) => oldest)
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  expect(numbers.filter((oldest) => oldest > STEPS)).toEqual([])
})

test('without anything to take away nothing happens, beside a popfetch at work', async () => {
  const path = await ledgerAt()
  await using _ = await openLedger(path)
  expect(await upgradeLedger(path, { removals: [] })).toEqual({ place: path, kept: null, ...versionAt(path) })
  expect(await filesOf(path)).toEqual(['state.db'])
})

test('what is taken away is kept in a copy of the file, on which the older version can work', async () => {
  const path = await ledgerAt()
  const upgraded = await upgradeLedger(path, { removals: [TAKES] })
  const kept = `${path}.v${STEPS}`
  expect(upgraded).toEqual({ place: path, kept, steps: STEPS, oldest: STEPS })
  expect(versionAt(kept).oldest).toBeLessThan(STEPS)
  for (const [file, columns] of [
    [path, 0],
    [kept, 1],
  ] as const) {
    const database = new DatabaseSync(file, { readOnly: true })
    const sql = "SELECT count(*) AS n FROM pragma_table_info('message') WHERE name = 'last_listed_ms'"
    expect(database.prepare(sql).get()).toEqual({ n: columns })
    expect(database.prepare('SELECT count(*) AS n FROM message').get()).toEqual({ n: 1 })
    database.close()
  }
  expect(await upgradeLedger(path, { removals: [TAKES] })).toMatchObject({ kept: null, oldest: STEPS })
  await using ledger = await openLedger(path)
  expect((await ledger.known('a', [key('x')]))[0]?.state).toBe('seen')
})

test('it is refused while a popfetch has the ledger open, and changes nothing', async () => {
  const path = await ledgerAt()
  await using _ = await openLedger(path)
  await expect(upgradeLedger(path, { removals: [TAKES], busyLimitMs: 0 })).rejects.toMatchObject({
    code: 'ERR_BUSY',
    message: expect.stringContaining('popfetch stop') as string,
  })
  expect(versionAt(path).oldest).toBeLessThan(STEPS)
  expect(await filesOf(path)).toEqual(['state.db'])
})

test('one that fails leaves the ledger as it was', async () => {
  const path = await ledgerAt()
  const broken: Removal = { sql: `${TAKES.sql}; DROP TABLE nowhere`, oldest: STEPS }
  await expect(upgradeLedger(path, { removals: [broken] })).rejects.toMatchObject({ code: 'ERR_LEDGER' })
  expect(versionAt(path).oldest).toBeLessThan(STEPS)
  await using ledger = await openLedger(path)
  expect((await ledger.known('a', [key('x')]))[0]?.state).toBe('seen')
})

test('an older ledger is brought up first, and only the last copy of the kind is kept', async () => {
  const path = join(await temporaryDirectory(), 'state.db')
  const database = new DatabaseSync(path)
  database.exec('PRAGMA application_id = 0x706f7066')
  await migrate(database, path, MIGRATIONS.slice(0, STEPS - 1))
  database.close()
  await upgradeLedger(path, { removals: [TAKES] })
  expect(await filesOf(path)).toEqual([basename(path), `${basename(path)}.v${STEPS}`])
})

test('without a ledger it says so', async () => {
  const path = join(await temporaryDirectory(), 'state.db')
  await expect(upgradeLedger(path)).rejects.toMatchObject({
    code: 'ERR_LEDGER',
    message: expect.stringContaining('there is none') as string,
  })
})
