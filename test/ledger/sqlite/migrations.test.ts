import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { MIGRATIONS, migrate, type Step } from '../../../src/ledger/sqlite/schema/migrations.ts'
import { readVersion, userVersionOf, versionOf } from '../../../src/ledger/sqlite/schema/version.ts'
import { temporaryDirectory } from '../scene.ts'

const ONE: Step = { sql: 'CREATE TABLE a (x INTEGER)', oldest: 1 }
const TWO: Step = { sql: 'INSERT INTO a VALUES (2)', oldest: 2 }
/** The version before can go on after it. */
const MORE: Step = { sql: 'ALTER TABLE a ADD COLUMN y INTEGER', oldest: 2 }

const schemaVersion = (database: DatabaseSync): number => readVersion(database).steps

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
  await expect(
    migrate(database, path, [ONE, { ...TWO, sql: `${TWO.sql}; INSERT INTO nowhere VALUES (1)` }]),
  ).rejects.toMatchObject({
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

test('a ledger past the known steps is gone on with where its last step allows it, and stays as it is', async () => {
  const { path, directory, database } = await empty()
  await migrate(database, path, [ONE, TWO, MORE])
  expect(readVersion(database)).toEqual({ steps: 3, oldest: 2 })
  const before = await readdir(directory)
  await migrate(database, path, [ONE, TWO])
  expect(readVersion(database)).toEqual({ steps: 3, oldest: 2 })
  await expect(migrate(database, path, [ONE])).rejects.toThrow(
    'a newer popfetch has written it (schema 3, this one knows 1)',
  )
  await migrate(database, path, [ONE, TWO, MORE])
  expect(await readdir(directory)).toEqual(before)
})

test('a step that older versions cannot bear is not undone by a later one that they could', async () => {
  const { path, database } = await empty()
  await migrate(database, path, [ONE, TWO, { ...MORE, oldest: 1 }])
  expect(readVersion(database)).toEqual({ steps: 3, oldest: 2 })
})

test('a file that no older version can work on has the plain number, as files always had', () => {
  expect(userVersionOf({ steps: 3, oldest: 3 })).toBe(3)
  expect(versionOf(3)).toEqual({ steps: 3, oldest: 3 })
  for (const version of [
    { steps: 4, oldest: 3 },
    { steps: 65_535, oldest: 32_767 },
    { steps: 9, oldest: 1 },
  ])
    expect(versionOf(userVersionOf(version))).toEqual(version)
})

test.each(MIGRATIONS.map((step, at) => [at + 1, step] as const))(
  'step %i only adds where it lets older versions go on',
  (number, { sql, oldest }) => {
    expect(oldest).toBeLessThanOrEqual(number)
    if (oldest === number) return
    const statements = sql.split(';').filter((one) => one.trim() !== '')
    const column = /^\s*ALTER TABLE \w+ ADD COLUMN \w+ \w+( NOT NULL DEFAULT \S+)?\s*$/
    const kinds = [/^\s*CREATE (TABLE|INDEX)\b/, column, /^\s*UPDATE\b/]
    expect(statements.filter((one) => !kinds.some((kind) => kind.test(one)))).toEqual([])
  },
)

/** Whoever adds a step decides: may the version before it still write to the file, without losing or misreading what the step
 *  is for? */
const OLDEST: readonly (readonly [oldest: number, why: string])[] = [
  [1, 'the first'],
  [2, 'versions before it refuse everything newer'],
  [3, 'a version before it sends without the mark that it handed over (S042)'],
  [3, 'the version before leaves out counts for people, and what it was told of'],
  [3, 'the version before polls what is paused: nothing is lost'],
  [
    3,
    'the version before leaves the name of another machine beside an attempt of its own, which then waits: nothing is lost',
  ],
]

test('every step says which older versions can go on, and why is written here', () => {
  expect(MIGRATIONS.map(({ oldest }) => oldest)).toEqual(OLDEST.map(([oldest]) => oldest))
})
