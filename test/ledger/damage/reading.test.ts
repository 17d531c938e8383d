// A ledger that was damaged is read all the same, until somebody looks: whatever its pages say, each read comes to an end, with what
// it found or with ERR_LEDGER. Pages that stand twice are what leads back to rows that were read.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeAll, expect, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { temporaryDirectory } from '../scene.ts'
import { damage } from './damage.ts'
import { makeSample } from './sample.ts'

let sample = Buffer.alloc(0)

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'popfetch-sample-'))
  const path = join(directory, 'state.db')
  // Several pages of each table: one that stands twice is then read twice.
  await makeSample(path, { work: 900, home: 2500 })
  sample = readFileSync(path)
  rmSync(directory, { recursive: true })
})

async function place(): Promise<string> {
  const directory = join(await temporaryDirectory(), 'state')
  mkdirSync(directory, { mode: 0o700 })
  const path = join(directory, 'state.db')
  writeFileSync(path, sample, { mode: 0o600 })
  return path
}

/** More slices than the sample can have. */
const MANY = 500

async function drained(slices: AsyncIterable<unknown>): Promise<void> {
  let count = 0
  for await (const _ of slices) if (++count > MANY) throw new Error('it never ends')
}

const READS: Readonly<Record<string, (ledger: Ledger, account: string) => Promise<unknown>>> = {
  keys: (ledger, account) => drained(ledger.compare(account).keys()),
  'what was removed': (ledger, account) => drained(ledger.compare(account).unseenRemoved()),
  'headers of what is there': (ledger, account) => drained(ledger.compare(account).unseenFingerprints()),
  'headers of what is gone': (ledger, account) => drained(ledger.compare(account).goneFingerprints()),
  'all messages': (ledger, account) => drained(ledger.records.list(account, 'all')),
  'held messages': (ledger, account) => drained(ledger.records.list(account, 'held')),
  'refused messages': (ledger, account) => drained(ledger.records.list(account, 'refused')),
  days: (ledger) => ledger.records.days(90),
  'what is unsettled': (ledger) => ledger.records.unsettled(),
  'what destinations lack': (ledger) => ledger.records.lacking(),
}

async function readAll(path: string): Promise<readonly string[]> {
  const wrong: string[] = []
  const check = (what: string, error: unknown): void => {
    if ((error as { code?: unknown }).code !== 'ERR_LEDGER') wrong.push(`${what}: ${String(error)}`)
  }
  let ledger: Ledger
  try {
    ledger = await openLedger(path)
  } catch (error) {
    check('opening', error)
    return wrong
  }
  try {
    for (const account of ['work', 'home'])
      for (const [what, read] of Object.entries(READS))
        await read(ledger, account).catch((error: unknown) => {
          check(`${what} of ${account}`, error)
        })
  } finally {
    await Promise.resolve(ledger[Symbol.asyncDispose]()).catch(() => {})
  }
  return wrong
}

test.each(Array.from({ length: 30 }, (_, seed) => seed))('seed %i: each read has an end', async (seed) => {
  const path = await place()
  // Doubled pages lead back; the other kinds as they come.
  damage(path, seed % 2 === 0 ? seed * 7 + 4 : seed)
  expect(await readAll(path)).toEqual([])
})

test('a row whose number is out of all proportion does not make the steps through the table endless', async () => {
  const path = await place()
  const database = new DatabaseSync(path)
  database.exec(
    'PRAGMA foreign_keys = OFF; UPDATE message SET id = 9000000000000000 WHERE id = (SELECT max(id) FROM message)',
  )
  database.close()
  await using ledger = await openLedger(path)
  const of = expect.objectContaining({
    code: 'ERR_LEDGER',
    message: expect.stringContaining('it is damaged') as string,
  })
  await expect(drained(ledger.records.list('home', 'all'))).rejects.toEqual(of)
  await expect(ledger.records.unsettled()).rejects.toEqual(of)
  await expect(drained(ledger.compare('home').unseenFingerprints())).rejects.toEqual(of)
})
