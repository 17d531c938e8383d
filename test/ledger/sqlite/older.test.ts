// Looking into a ledger of an older version before this one has polled: it is read as it is (DESIGN 4, versions).
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { APPLICATION_ID, migrate, MIGRATIONS } from '../../../src/ledger/sqlite/schema/migrations.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { readVersion } from '../../../src/ledger/sqlite/schema/version.ts'
import { LOOKS } from '../looks.ts'
import { temporaryDirectory } from '../scene.ts'

const OLDER = MIGRATIONS.slice(1).map((_, at) => at + 1)

async function ledgerOf(steps: number): Promise<string> {
  const path = join(await temporaryDirectory(), 'state.db')
  const database = new DatabaseSync(path)
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
  await migrate(database, path, MIGRATIONS.slice(0, steps))
  database.exec(`
    INSERT INTO account (id, name, host, port, user, started, known, failures) VALUES (1, 'a', 'h', 1, 'u', 1, 2, 3);
    INSERT INTO message (id, account, uidl, copy, state, first_seen_ms, reason) VALUES (1, 1, x'78', 0, 0, 5, 'wait'), (2, 1, x'79', 0, 1, 6, NULL);
    INSERT INTO delivery (message, destination, recipient, state, intent, attempts, error) VALUES (1, 'd', '', 5, 'i', 1, 'no');
  `)
  database.close()
  return path
}

const digest = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex')

test.each(OLDER.flatMap((steps) => Object.entries(LOOKS).map(([name, look]) => [steps, name, look] as const)))(
  'a ledger of schema %i answers %s',
  async (steps, _, [look, expected]) => {
    await using ledger = await openLedger(await ledgerOf(steps), { readOnly: true })
    expect(await look(ledger)).toEqual(expected)
  },
)

test.each(OLDER)('a ledger of schema %i stays as it is when it is read, and cannot be written', async (steps) => {
  const path = await ledgerOf(steps)
  const before = [await digest(path), (await readdir(join(path, '..'))).filter((name) => /\.v\d/.test(name))]
  {
    await using ledger = await openLedger(path, { readOnly: true })
    for (const [look] of Object.values(LOOKS)) await look(ledger)
    await expect(ledger.lease('a')).rejects.toThrow('opened to be read')
  }
  expect([await digest(path), (await readdir(join(path, '..'))).filter((name) => /\.v\d/.test(name))]).toEqual(before)
  const database = new DatabaseSync(path, { readOnly: true })
  expect(readVersion(database).steps).toBe(steps)
  database.close()
})

test('one that is taken to this version while it is being read goes on being read', async () => {
  const path = await ledgerOf(MIGRATIONS.length - 1)
  await using reader = await openLedger(path, { readOnly: true })
  await using _ = await openLedger(path)
  for (const [look, expected] of Object.values(LOOKS)) expect(await look(reader)).toEqual(expected)
})
