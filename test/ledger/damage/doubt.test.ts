// What a flipped bit makes of a row that is whole all the same, in a file that is repaired for another one: it must not be believed
// where something speaks against it, and what can be read of a broken row is used where the index confirms it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeAll, expect, test } from 'vitest'
import type { MessageRecord } from '../../../src/ledger/records.ts'
import { repairLedger, type Repaired } from '../../../src/ledger/sqlite/mend/repair.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import { temporaryDirectory } from '../scene.ts'
import { makeSample, truthOf } from './sample.ts'

const PAGE = 4096

let sample = Buffer.alloc(0)
/** The rows of the messages of `home`, by UIDL. */
let ids: ReadonlyMap<string, number> = new Map()

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'popfetch-sample-'))
  const path = join(directory, 'state.db')
  await makeSample(path, { work: 300, home: 200, tiny: 3 })
  const database = new DatabaseSync(path)
  const rows = database.prepare(
    "SELECT m.id, CAST(m.uidl AS TEXT) AS uidl FROM message m JOIN account a ON a.id = m.account WHERE a.name = 'home'",
  )
  ids = new Map(rows.all().map(({ id, uidl }) => [String(uidl), Number(id)]))
  database.close()
  sample = readFileSync(path)
  rmSync(directory, { recursive: true })
})

interface After {
  readonly repaired: Repaired
  readonly message: (account: string, uidl: string) => MessageRecord | undefined
}

/** Changes the sample by SQL and by bytes, breaks a page that nothing depends on, and repairs it. */
async function after(sql: string, damage: (bytes: Buffer) => void = () => {}): Promise<After> {
  const directory = join(await temporaryDirectory(), 'state')
  mkdirSync(directory, { mode: 0o700 })
  const path = join(directory, 'state.db')
  writeFileSync(path, sample, { mode: 0o600 })
  const database = new DatabaseSync(path)
  database.exec(`${sql}; PRAGMA journal_mode = DELETE`)
  database.close()
  const bytes = readFileSync(path)
  damage(bytes)
  const long = Math.floor(bytes.indexOf('x'.repeat(3000)) / PAGE) * PAGE
  bytes.fill(0, long, long + PAGE)
  writeFileSync(path, bytes)
  const repaired = await repairLedger(path)
  if (repaired === null) throw new Error('not noticed')
  await using ledger = await openLedger(path)
  const now = await truthOf(ledger)
  return { repaired, message: (account, uidl) => now.get(account)?.get(`${uidl} 0`) }
}

/** SQL: the row of a message of `home`. */
const HOME = (uidl: string): string =>
  `(SELECT m.id FROM message m JOIN account a ON a.id = m.account WHERE a.name = 'home' AND m.uidl = CAST('${uidl}' AS BLOB))`

/** As it stands in rows: the number of a message of `home`. */
function idOf(uidl: string): Buffer {
  const id = ids.get(uidl)
  if (id === undefined || id < 256) throw new Error('not two bytes')
  return Buffer.from([id >> 8, id & 0xff])
}

/** Of a message's deliveries those that are done. */
function doneOf(message: MessageRecord | undefined): readonly string[] {
  return (message?.deliveries ?? [])
    .filter(({ state }) => state === 'done')
    .map(({ destination, recipient }) => `${destination} ${recipient}`)
    .toSorted()
}

const BOTH = ['forward bob@example.org', 'inbox ']

test('what nothing speaks against is kept: without damage to them, deliveries are as they were', async () => {
  const { repaired, message } = await after('SELECT 1')
  expect(doneOf(message('home', '1'))).toEqual(BOTH)
  expect(message('home', '1')?.state).toBe('delivered')
  expect(repaired.losses).toEqual([])
})

test.each([
  ['destination', 'forWard', ['inbox ']],
  ['destination', 'gorward', ['inbox ']],
  ['recipient', 'bob@example.orG', ['inbox ']],
  ['recipient', 'cob@example.org', ['inbox ']],
])('a delivery whose %s is %s, one bit from a known name, is not believed, and counted', async (column, name, left) => {
  const { repaired: whole } = await after('SELECT 1')
  const { repaired, message } = await after(
    `UPDATE delivery SET ${column} = '${name}' WHERE message = ${HOME('4')} AND destination = 'forward'`,
  )
  expect(doneOf(message('home', '4'))).toEqual(left)
  expect(repaired.broken).toBe(whole.broken + 1)
})

test('a name that is nobody else’s neighbour is believed, though it is there only once', async () => {
  const { message } = await after(
    `UPDATE delivery SET destination = 'archive' WHERE message = ${HOME('4')} AND destination = 'forward'`,
  )
  expect(doneOf(message('home', '4'))).toEqual(['archive bob@example.org', 'inbox '])
})

test('two names that are one bit apart are believed where each is there more than once', async () => {
  const { message } = await after(
    `UPDATE delivery SET recipient = 'cob@example.org' WHERE message IN (${HOME('4')}, ${HOME('7')}) AND destination = 'forward'`,
  )
  expect(doneOf(message('home', '4'))).toEqual(['forward cob@example.org', 'inbox '])
})

test('a delivery that a flipped bit gives to another message, before those of the next, is not believed', async () => {
  // 14 was not sent; the delivery of 12 comes to stand before those of 13 as if it were 14's.
  const { message } = await after(
    `DELETE FROM delivery WHERE message = ${HOME('14')};
     UPDATE message SET state = 0, delivered_ms = NULL WHERE id = ${HOME('14')}`,
    (bytes) => {
      // Before the name stands the message's number; other accounts have the same intent.
      const place = bytes.indexOf(Buffer.concat([idOf('12'), Buffer.from(`inbox\u0002${'b'.padStart(16, '0')}`)]))
      idOf('14').copy(bytes, place)
    },
  )
  expect(message('home', '14')?.state).toBe('open')
  expect(doneOf(message('home', '14'))).toEqual([])
})

test('of two deliveries with one key that are not the same, neither is believed', async () => {
  const { message } = await after(
    // The same key once more, from a page that no tree leads to any more.
    `CREATE TABLE other (message INTEGER NOT NULL, destination TEXT NOT NULL, recipient TEXT NOT NULL, state INTEGER NOT NULL,
       intent TEXT NOT NULL, attempts INTEGER, unknowns INTEGER, retry_after_ms INTEGER, settled_ms INTEGER, receipt TEXT, error TEXT,
       PRIMARY KEY (message, destination, recipient)) WITHOUT ROWID;
     INSERT INTO other SELECT message, destination, recipient, state, 'ffffffffffffffff', attempts, unknowns, retry_after_ms,
       settled_ms, receipt, error FROM delivery WHERE message = ${HOME('4')} AND destination = 'inbox'`,
  )
  expect(doneOf(message('home', '4'))).toEqual(['forward bob@example.org'])
})

const UNTOUCHED = ['home-cut-0', 'home-cut-3', 'home-left', 'home-looked', 'home-harm', '8h']

test.each([
  ['seen', 2],
  ['delivered', 1],
])('a message that was begun, held or did harm, and whose state now says %s, is open', async (_, state) => {
  const { message } = await after(
    `UPDATE message SET state = ${state} WHERE uidl IN (${UNTOUCHED.map((uidl) => `CAST('${uidl}' AS BLOB)`).join(', ')})`,
  )
  expect(UNTOUCHED.filter((uidl) => message('home', uidl)?.state !== 'open')).toEqual([])
})

/** Where the UIDL of the message stands in its row, not in an index. */
function rowOf(bytes: Buffer, uidl: string): number {
  for (let at = bytes.indexOf(uidl); at !== -1; at = bytes.indexOf(uidl, at + 1))
    if (bytes[Math.floor(at / PAGE) * PAGE] === 0x0d) return at
  throw new Error('no such row')
}

const UIDL = 'work-3-uuu'

/** Makes of a text behind the key what is none. */
function breakRow(bytes: Buffer): void {
  bytes[bytes.indexOf('<3@example.org>', rowOf(bytes, UIDL)) + 2] = 0xff
}

test('a message whose row is broken behind its key is open, and what was delivered of it is known', async () => {
  const { repaired, message } = await after('SELECT 1', breakRow)
  expect(repaired.losses).toEqual([])
  expect(message('work', UIDL)?.state).toBe('open')
  expect(doneOf(message('work', UIDL))).toEqual(BOTH)
  expect(repaired.asking).toContain('work')
})

test('so is one of which a value is of a kind that its column cannot have', async () => {
  const { repaired, message } = await after('SELECT 1', (bytes) => {
    const header = bytes.lastIndexOf(Buffer.from([0x4c, 0x4c]), rowOf(bytes, UIDL))
    // The digest: 32 bytes, now as text. Those of 0x15 are ASCII.
    bytes[header] = 0x4d
  })
  expect(repaired.losses).toEqual([])
  expect(message('work', UIDL)?.state).toBe('open')
  expect(doneOf(message('work', UIDL))).toEqual(BOTH)
})

test('a message whose row is broken, and whose key no index confirms, is missing, and told', async () => {
  const { repaired, message } = await after('SELECT 1', (bytes) => {
    breakRow(bytes)
    bytes[rowOf(bytes, UIDL)] = 0x76
  })
  expect(message('work', UIDL)).toBeUndefined()
  expect(message('work', `v${UIDL.slice(1)}`)).toBeUndefined()
  expect(repaired.losses).toEqual([{ account: 'work', messages: 1, uidls: [UIDL] }])
})

test('a message that a flipped bit gives to an account that is not there makes none', async () => {
  const { repaired } = await after('SELECT 1', (bytes) => {
    // The row's header: the account's number is one byte, for work the constant 1; now it is 0.
    const row = rowOf(bytes, UIDL)
    const header = bytes.lastIndexOf(Buffer.from([0x00, 0x09]), row)
    bytes[header + 1] = 0x08
  })
  expect(repaired.nameless).toEqual([])
  expect(repaired.losses).toEqual([{ account: 'work', messages: 1, uidls: [UIDL] }])
})
