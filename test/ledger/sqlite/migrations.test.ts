import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { migrate, schemaVersion } from '../../../src/ledger/sqlite/migrations.ts'
import { temporaryDirectory } from '../scene.ts'

const ONE = 'CREATE TABLE a (x INTEGER)'
const TWO = 'INSERT INTO a VALUES (2)'

async function empty(): Promise<{ path: string; directory: string; database: DatabaseSync }> {
  const directory = await temporaryDirectory()
  const path = join(directory, 'state.db')
  const database = new DatabaseSync(path)
  onTestFinished(() => database.close())
  return { path, directory, database }
}

test('each step is done once, and a ledger with history is copied first (K14)', async () => {
  const { path, directory, database } = await empty()
  await migrate(database, path, [ONE])
  expect(await readdir(directory)).toEqual(['state.db'])
  await migrate(database, path, [ONE, TWO])
  await migrate(database, path, [ONE, TWO])
  expect(schemaVersion(database)).toBe(2)
  expect(database.prepare('SELECT x FROM a').all()).toEqual([{ x: 2 }])
  expect(await readdir(directory)).toEqual(['state.db', 'state.db.v1'])
  const copy = new DatabaseSync(`${path}.v1`)
  expect(copy.prepare('SELECT x FROM a').all()).toEqual([])
  copy.close()
})

test('a step that fails leaves the ledger at the version before', async () => {
  const { path, database } = await empty()
  await expect(migrate(database, path, [ONE, `${TWO}; INSERT INTO nowhere VALUES (1)`])).rejects.toMatchObject({
    code: 'ERR_LEDGER',
  })
  expect(schemaVersion(database)).toBe(1)
  expect(database.prepare('SELECT x FROM a').all()).toEqual([])
})

test('two processes that migrate at once do each step once', async () => {
  const { path, database } = await empty()
  const other = new DatabaseSync(path)
  onTestFinished(() => other.close())
  await Promise.all([migrate(database, path, [ONE, TWO]), migrate(other, path, [ONE, TWO])])
  expect(other.prepare('SELECT x FROM a').all()).toEqual([{ x: 2 }])
})

test('a ledger past the known steps is refused', async () => {
  const { path, database } = await empty()
  database.exec('PRAGMA user_version = 3')
  await expect(migrate(database, path, [ONE, TWO])).rejects.toThrow('newer popfetch')
})
