// A ledger's file is copied into another place, and refuses from then on. With PostgreSQL at one end: test/servers/postgres/copy.test.ts.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, expect, test } from 'vitest'
import { copyLedger } from '../../../src/ledger/copy/copy.ts'
import { COLUMNS, Digest, type CopiedRow } from '../../../src/ledger/copy/copied.ts'
import { sourceFile, targetFile } from '../../../src/ledger/sqlite/copy/ends.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { restoreLedger } from '../../../src/ledger/sqlite/restore.ts'
import { MIGRATIONS } from '../../../src/ledger/sqlite/schema/migrations.ts'
import { readVersion, refuseNewer } from '../../../src/ledger/sqlite/schema/version.ts'
import { makeSample, truthOf } from '../damage/sample.ts'
import { temporaryDirectory } from '../scene.ts'

let [directory, from, to] = ['', '', '']
beforeEach(async () => {
  directory = await temporaryDirectory()
  from = join(directory, 'from.db')
  to = join(directory, 'to.db')
})

async function copy(signal = new AbortController().signal): Promise<unknown> {
  await using source = await sourceFile(from)
  await using target = await targetFile(to)
  return await copyLedger(source, target, { signal })
}

test('all of a file is in the other one, nothing else is left beside them, and the old one says where it went', async () => {
  const truth = await makeSample(from, { work: 2500, home: 30 })
  expect(await copy()).toMatchObject({ accounts: 2, messages: 2599 })
  {
    await using ledger = await openLedger(to)
    expect(await truthOf(ledger)).toEqual(truth)
  }
  for (const readOnly of [true, false])
    await expect(openLedger(from, { readOnly })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      retry: 'never',
      message: `cannot use the ledger ${from}: everything in it was copied to ${to}, and that copy goes on: use ${to} in its place, with state: or --state`,
    })
  expect((await readdir(directory)).filter((name) => !name.endsWith('.leases'))).toEqual(['from.db', 'to.db'])
})

test('a popfetch that knows nothing of copies refuses the old file as well, and no restore brings it back', async () => {
  await makeSample(from, { work: 3 })
  await copy()
  const database = new DatabaseSync(from, { readOnly: true })
  for (let known = 1; known < MIGRATIONS.length + 50; known++)
    expect(() => refuseNewer(from, readVersion(database), known)).toThrow('a newer popfetch has written it')
  database.close()
  await expect(restoreLedger(to, from)).rejects.toMatchObject({ code: 'ERR_CONFIG' })
})

test('an empty ledger is filled; one that only pauses something is none', async () => {
  await makeSample(from, { work: 3 })
  await (await openLedger(to))[Symbol.asyncDispose]()
  await copy()
  from = to
  to = join(directory, 'third.db')
  {
    await using ledger = await openLedger(to)
    await ledger.pauses.begin([{ kind: 'account', name: 'work' }], 'ada', null)
  }
  await expect(copy()).rejects.toThrow('it is not empty')
})

test('one that is interrupted changes nothing', async () => {
  const truth = await makeSample(from, { work: 30 })
  const controller = new AbortController()
  controller.abort(new Error('interrupted'))
  await expect(copy(controller.signal)).rejects.toThrow('interrupted')
  await using ledger = await openLedger(from)
  expect(await truthOf(ledger)).toEqual(truth)
  expect(await readdir(directory)).not.toContain('to.db')
})

test('every column of every table is copied, but those of the place', async () => {
  await (await openLedger(from))[Symbol.asyncDispose]()
  const database = new DatabaseSync(from, { readOnly: true })
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  const ofThePlace: Readonly<Record<string, readonly string[]>> = {
    account: ['id', 'known', 'mark_digest', 'mark_due_ms', 'next_poll_ms'],
    message: ['id', 'account', 'last_listed_ms'],
    delivery: ['message'],
    day: ['account'],
    lease: ['account', 'file', 'taken_ms'],
  }
  for (const name of tables.map((table) => String(table['name']))) {
    const columns = database.prepare(`SELECT name FROM pragma_table_info('${name}')`).all()
    const copied = (COLUMNS as Readonly<Record<string, readonly { readonly name: string }[]>>)[name] ?? []
    const names = copied.map((column) => column.name.replace(/^harm_.*/, 'harm'))
    expect([name, columns.map((column) => String(column['name'])).toSorted((a, b) => (a < b ? -1 : 1))]).toEqual([
      name,
      [...new Set([...names, ...(ofThePlace[name] ?? [])])].toSorted((a, b) => (a < b ? -1 : 1)),
    ])
  }
  database.close()
})

test('a digest tells what is missing, what is there twice, another value, and another order of messages; not another order of accounts', () => {
  const row = (account: string, ...values: (string | number | null)[]): CopiedRow => ({
    table: 'message',
    account,
    values,
    deliveries: [['inbox', 1]],
  })
  const digestOf = (...rows: CopiedRow[]): string => {
    const digest = new Digest()
    digest.add(rows)
    return digest.text
  }
  const [one, two, other] = [row('a', '1', 2), row('a', '2', 2), row('b', '1', 2)]
  const all = digestOf(one, two, other)
  expect(digestOf(other, one, two)).toBe(all)
  for (const rows of [
    [one, two],
    [one, one, two, other],
    [two, one, other],
    [one, row('a', '2', 3), other],
    [one, two, row('b', '1', null)],
  ])
    expect(digestOf(...rows)).not.toBe(all)
})
