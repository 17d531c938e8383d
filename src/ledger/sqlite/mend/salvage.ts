// Saves what can be read of a damaged ledger into a new one. Rows are taken wherever they stand in the file; SQLite's own tables
// and constraints judge them once more. Nothing that is in doubt is believed:
//   - A message counts as delivered only where the row says so twice. In doubt it is open, and the next poll looks for it (P1).
//   - A message whose key the index spells otherwise is dropped: it may be another one, that was never delivered. One whose row is
//     broken behind its key, and whose key the index confirms, is open: what was delivered of it is known.
//   - Ages begin anew: no mail leaves a server for a number that may be wrong.
//   - Of deliveries only those are kept that are done: what is left to do is decided anew, so that no flipped letter sends mail
//     to somebody else. What was delivered stays delivered (P2), unless it may be another delivery (deliveries.ts).
//   - An account of which something is missing or open asks before it sends (ERR_FIRST_POLL); one whose name is lost gets a name of
//     its own, by which the account is found again (ERR_ACCOUNT_RENAMED).
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { APPLICATION_ID, migrate } from '../schema/migrations.ts'
import { DELIVERED, DONE, HELD, number, OPEN, rowOf, rowsOf, SEEN, text } from '../rows/row.ts'
import { type Cell, cellsOn, type Value } from './cells.ts'
import type { Pages } from './pages.ts'
import { judgeDeliveries, outOfOrder } from './deliveries.ts'
import { isMessageKey, kindOf, type Table } from './rows.ts'

export interface Loss {
  readonly account: string
  /** So many at least, of those that were recorded. */
  readonly messages: number
  /** UIDLs of the first of them, as far as they can still be read: latin1 text of their bytes. */
  readonly uidls: readonly string[]
}

export interface Salvaged {
  readonly accounts: number
  readonly messages: number
  /** Rows and pages that could not be read. */
  readonly broken: number
  readonly losses: readonly Loss[]
  /** Accounts that ask before they send. */
  readonly asking: readonly string[]
  /** Accounts whose name is lost, by the name that they got. */
  readonly nameless: readonly string[]
}

const UIDLS_NAMED = 20
/** Pages read before the event loop gets its turn. */
const PAGES_AT_ONCE = 256

/** Rows may come from each page of these tables; of a table without row numbers from inner pages, too. */
const TABLES: readonly Table[] = ['account', 'message', 'delivery', 'destination', 'day', 'memo', 'pause']

/** Makes the ledger in `draft`, an empty file that only its owner can read. Rejects with what SQLite or the system says. */
export async function salvage(pages: Pages, draft: string, nowMs: number): Promise<Salvaged> {
  const database = new DatabaseSync(draft)
  try {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY`)
    await migrate(database, draft)
    database.exec(`CREATE TEMP TABLE key (id INTEGER, account INTEGER, uidl BLOB, copy INTEGER);
      CREATE TEMP TABLE name (id INTEGER, name TEXT); CREATE TEMP TABLE doubt (id INTEGER PRIMARY KEY);
      CREATE TEMP TABLE spare AS SELECT * FROM message WHERE 0;
      CREATE TEMP TABLE part AS SELECT id, account, uidl, copy FROM message WHERE 0;
      CREATE TEMP TABLE split AS SELECT message, destination, recipient FROM delivery WHERE 0;
      CREATE TEMP TABLE tried (message INTEGER PRIMARY KEY)`)
    const rows = new Rows(database)
    database.exec('BEGIN')
    let broken = 0
    for (let page = 1; page <= pages.count; page++) {
      const found = cellsOn(page, pages)
      broken += found.broken
      const misplaced = outOfOrder(found.cells)
      for (const cell of found.cells) if (misplaced.has(cell) || !rows.take(cell)) broken++
      for (const cell of found.parts) rows.takePart(cell)
      if (page % PAGES_AT_ONCE === 0) await turn()
    }
    const { disbelieved, ...result } = judged(database, nowMs)
    database.exec('COMMIT')
    return { ...result, broken: broken + disbelieved }
  } finally {
    database.close()
  }
}

class Rows {
  readonly #database: DatabaseSync
  readonly #columns: ReadonlyMap<Table, readonly string[]>
  readonly #inserts = new Map<string, StatementSync>()
  readonly #key: StatementSync
  readonly #name: StatementSync
  readonly #same: StatementSync
  readonly #doubt: StatementSync
  readonly #part: StatementSync
  readonly #intent: StatementSync
  readonly #split: StatementSync

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#columns = new Map(
      TABLES.map((table) => [
        table,
        rowsOf(database.prepare(`SELECT name FROM pragma_table_info(?)`), table).map((row) => text(row[0])),
      ]),
    )
    this.#key = database.prepare('INSERT INTO temp.key (account, uidl, copy, id) VALUES (?, ?, ?, ?)')
    this.#name = database.prepare('INSERT INTO temp.name (name, id) VALUES (?, ?)')
    this.#same = database.prepare(
      'SELECT id FROM message WHERE id = ?1 AND account = ?2 AND uidl = ?3 AND copy = ?4 AND state = ?5',
    )
    this.#doubt = database.prepare(
      'INSERT OR IGNORE INTO temp.doubt SELECT id FROM message WHERE id = ?1 OR (account = ?2 AND uidl = ?3 AND copy = ?4)',
    )
    this.#part = database.prepare('INSERT INTO temp.part (id, account, uidl, copy) VALUES (?, ?, ?, ?)')
    this.#intent = database.prepare(
      'SELECT intent FROM delivery WHERE message = ? AND destination = ? AND recipient = ?',
    )
    this.#split = database.prepare('INSERT INTO temp.split VALUES (?, ?, ?)')
  }

  /** False: it looked like a row of ours and cannot be one. */
  take(cell: Cell): boolean {
    const kind = kindOf(cell)
    if (kind === null || kind === 'schema') return true
    const { rowid, values } = cell
    try {
      if (kind === 'key') this.#key.run(...values)
      else if (kind === 'name') this.#name.run(...values)
      else {
        const columns = this.#columns.get(kind) ?? []
        const own = rowid === null ? values : [rowid, ...values.slice(1)]
        const given = own.slice(0, columns.length)
        const { changes } = this.#insert(kind, columns.slice(0, given.length)).run(...given)
        if (changes === 0 && kind === 'message') this.#again(given, columns)
        if (changes === 0 && kind === 'delivery') this.#otherDelivery(given)
      }
      return true
    } catch {
      // A value that its column cannot have.
      this.takePart(cell)
      return false
    }
  }

  /** A second row of the same number or key: the same one once more, or nothing tells which is right. */
  #again(values: readonly Value[], columns: readonly string[]): void {
    const [id = null, account = null, uidl = null, copy = null, state = null] = values
    if (rowOf(this.#same, id, account, uidl, copy, state) !== null) return
    this.#doubt.run(id, account, uidl, copy)
    this.#insert('temp.spare', columns.slice(0, values.length)).run(...values)
  }

  #otherDelivery(values: readonly Value[]): void {
    const [message = null, destination = null, recipient = null, , intent = null] = values
    if (rowOf(this.#intent, message, destination, recipient)?.[0] !== intent)
      this.#split.run(message, destination, recipient)
  }

  /** What is left of a broken row: the key of a message, or nothing. */
  takePart(cell: Cell): void {
    const [, account = null, uidl = null, copy = null] = cell.values
    if (isMessageKey(cell)) this.#part.run(cell.rowid, account, uidl, copy)
  }

  #insert(table: Table | 'temp.spare', columns: readonly string[]): StatementSync {
    const name = `${table} ${columns.length}`
    const known = this.#inserts.get(name)
    if (known !== undefined) return known
    const places = columns.map(() => '?').join(', ')
    const made = this.#database.prepare(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places}) ON CONFLICT DO NOTHING`,
    )
    this.#inserts.set(name, made)
    return made
  }
}

const JSON_COLUMNS: readonly (readonly [table: string, column: string, otherwise: string])[] = [
  ['account', 'facts', "'{}'"],
  ['account', 'error', 'NULL'],
  ['account', 'taking_over', 'NULL'],
  ['message', 'harm', 'NULL'],
]

/** Takes back what is in doubt, and tells what is missing. `disbelieved`: rows that are whole. */
function judged(database: DatabaseSync, nowMs: number): Omit<Salvaged, 'broken'> & { readonly disbelieved: number } {
  for (const [table, column, otherwise] of JSON_COLUMNS)
    database.exec(
      `UPDATE ${table} SET ${column} = ${otherwise} WHERE ${column} IS NOT NULL AND NOT json_valid(${column})`,
    )
  judgeKeys(database, nowMs)
  const nameless = judgeAccounts(database)
  const disbelieved = judgeDeliveries(database)
  judgeMessages(database, nowMs)
  const losses = lossesOf(database)
  const asking = askingOf(database, new Set(losses.map(({ account }) => account)))
  const restored = database.prepare("UPDATE account SET facts = json_set(facts, '$.restored', ?) WHERE name = ?")
  for (const name of asking) restored.run(String(nowMs), name)
  database.exec(`UPDATE account SET known = (SELECT count(*) FROM message m WHERE m.account = account.id), mark_digest = NULL,
    mark_due_ms = NULL`)
  const [accounts, messages] = rowOf(
    database.prepare('SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM message)'),
  ) ?? [0, 0]
  return { accounts: number(accounts), messages: number(messages), losses, asking, nameless, disbelieved }
}

/** An account that the index of names calls otherwise may be another one. One that messages name and that is not there gets a name
 *  of its own. */
function judgeAccounts(database: DatabaseSync): readonly string[] {
  database.exec(`DELETE FROM destination WHERE NOT json_valid(record);
    UPDATE account SET name = 'lost-' || id WHERE EXISTS (SELECT 1 FROM temp.name n WHERE n.id = account.id)
      AND NOT EXISTS (SELECT 1 FROM temp.name n WHERE n.id = account.id AND n.name = account.name);
    INSERT OR IGNORE INTO account (id, name, host, port, user, started)
      SELECT n.id, n.name, '', 0, '', 1 FROM temp.name n WHERE n.id NOT IN (SELECT id FROM account)
        AND n.id IN (SELECT account FROM message);
    INSERT OR IGNORE INTO account (id, name, host, port, user, started)
      SELECT DISTINCT account, 'lost-' || account, '', 0, '', 1 FROM message WHERE account NOT IN (SELECT id FROM account);
    DELETE FROM message WHERE account NOT IN (SELECT id FROM account);
    DELETE FROM day WHERE account NOT IN (SELECT id FROM account)`)
  const lost = database.prepare("SELECT name FROM account WHERE name = 'lost-' || id ORDER BY name")
  return rowsOf(lost).map((row) => text(row[0]))
}

function judgeKeys(database: DatabaseSync, nowMs: number): void {
  const keyOf = (row: string): string =>
    `EXISTS (SELECT 1 FROM temp.key k WHERE k.id = ${row}.id AND k.account = ${row}.account AND k.uidl = ${row}.uidl
      AND k.copy = ${row}.copy)`
  // Of two that claim one number or key, the index knows the right one.
  database.exec(`CREATE INDEX temp.key_id ON key (id);
    DELETE FROM message WHERE id IN (SELECT id FROM temp.doubt) AND NOT ${keyOf('message')};
    INSERT OR IGNORE INTO message SELECT * FROM temp.spare WHERE ${keyOf('spare')};
    DELETE FROM temp.doubt;
    INSERT OR IGNORE INTO temp.doubt SELECT m.id FROM message m WHERE EXISTS (SELECT 1 FROM temp.key k WHERE k.id = m.id)
      AND NOT ${keyOf('m')};
    INSERT OR IGNORE INTO temp.doubt SELECT id FROM message WHERE state NOT IN (0, 1, 2, 3, 4) OR id <= 0;
    DELETE FROM message WHERE id IN (SELECT id FROM temp.doubt);
    INSERT OR IGNORE INTO message (id, account, uidl, copy, state, attempts, first_seen_ms)
      SELECT id, account, uidl, copy, ${OPEN}, 1, ${nowMs} FROM temp.part WHERE id > 0 AND ${keyOf('part')}`)
}

function judgeMessages(database: DatabaseSync, nowMs: number): void {
  database.exec(`
    INSERT OR IGNORE INTO temp.tried SELECT message FROM delivery;
    DELETE FROM delivery WHERE message NOT IN (SELECT id FROM message);
    UPDATE delivery SET state = ${DONE}, retry_after_ms = 0, error = NULL WHERE receipt IS NOT NULL AND settled_ms IS NOT NULL;
    DELETE FROM delivery WHERE state <> ${DONE} OR receipt IS NULL OR settled_ms IS NULL`)
  const isUndone = 'delivered_ms IS NULL'
  const wasTried =
    '(id IN (SELECT message FROM temp.tried) OR received_bytes IS NOT NULL OR attempts > 0 OR reason IS NOT NULL OR harm IS NOT NULL)'
  const wasReceived = 'received_bytes IS NOT NULL AND length(digest) = 32'
  database.exec(`
    UPDATE message SET state = ${OPEN} WHERE state = ${DELIVERED} AND ${isUndone} AND ${wasTried};
    UPDATE message SET state = ${SEEN} WHERE state = ${DELIVERED} AND ${isUndone} AND fingerprint IS NULL;
    UPDATE message SET state = ${OPEN} WHERE state = ${SEEN} AND NOT (${isUndone})
      OR state = ${SEEN} AND ${wasTried};
    UPDATE message SET state = ${DELIVERED} WHERE state = ${OPEN} AND NOT (${isUndone}) AND ${wasReceived};
    UPDATE message SET state = ${OPEN} WHERE state = 4;
    UPDATE message SET retry_after_ms = 0, attempts = 0 WHERE state = ${OPEN};
    UPDATE message SET first_seen_ms = ${nowMs} WHERE gone_since_ms IS NULL;
    UPDATE message SET deletion_wanted_ms = NULL, deletion_tried = NULL, deletion_reason = NULL
      WHERE deletion_wanted_ms IS NOT NULL AND (deletion_tried IS NULL OR deletion_reason IS NULL)`)
}

/** Messages that were recorded and are not there any more. */
function lossesOf(database: DatabaseSync): readonly Loss[] {
  const accounts = rowsOf(
    database.prepare(`SELECT id, name, known - (SELECT count(*) FROM message m WHERE m.account = account.id) FROM account
      ORDER BY name`),
  )
  const missing = `FROM temp.key k WHERE k.account = ?1 AND NOT EXISTS (SELECT 1 FROM message m WHERE m.account = k.account
    AND m.uidl = k.uidl AND m.copy = k.copy)`
  const count = database.prepare(`SELECT count(DISTINCT k.uidl || ' ' || k.copy) ${missing}`)
  const first = database.prepare(`SELECT DISTINCT k.uidl ${missing} LIMIT ${UIDLS_NAMED}`)
  return accounts.flatMap(([id, name, fewer]): readonly Loss[] => {
    const row = number(id)
    const messages = Math.max(number(fewer), number(rowOf(count, row)?.[0]), 0)
    if (messages === 0) return []
    const uidls = rowsOf(first, row).map(([uidl]) =>
      Buffer.from(uidl instanceof Uint8Array ? uidl : []).toString('latin1'),
    )
    return [{ account: text(name), messages, uidls }]
  })
}

/** Those that lack messages, or have some of which it is not known where they still have to go. */
function askingOf(database: DatabaseSync, lacking: ReadonlySet<string>): readonly string[] {
  const open = rowsOf(
    database.prepare(
      `SELECT name FROM account WHERE id IN (SELECT account FROM message WHERE state IN (${OPEN}, ${HELD}))`,
    ),
  ).map((row) => text(row[0]))
  return [...new Set([...lacking, ...open])].toSorted()
}
