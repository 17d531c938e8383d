// The methods of Records on a schema of PostgreSQL: slices for readers, short statements for those who mend. What each method
// promises is in records.ts.
import { DAYS_KEPT, type FactChanges } from '../account.ts'
import type { EntryKey } from '../entry.ts'
import type { Lease } from '../lease.ts'
import type { Day, Lacking, MessageRecord, Records, Selection, Unsettled, Waiting } from '../records.ts'
import { HELD, OPEN_REFUSED, uidlBytes } from '../stored.ts'
import type { Access } from './access.ts'
import type { Row, Value } from './connection/connection.ts'
import { bug } from './connection/server.ts'
import { at, base64, isTrue, number, text, toBytes } from './rows/cells.ts'
import { factsOf } from './rows/changes.ts'
import { DELIVERY, deliveryRecordOf, RECORD, recordOf } from './rows/message.ts'

const DAY_MS = 86_400_000
/** Messages in one slice. */
const PAGE = 500
/** Rows of an account that are passed over by one statement, should none of them be wanted. */
const PASSED = 50_000
/** Messages removed in one statement. */
const REMOVED = 1000
const KEYS = 5000

const CONDITIONS: Readonly<Record<Selection, string>> = {
  all: '',
  open: 'AND m.state IN (0, 4)',
  refused: 'AND m.state IN (0, 3, 4) AND m.state = 4',
  held: 'AND m.state IN (0, 3, 4) AND m.state = 3',
  delivered: 'AND m.state = 1',
  seen: 'AND m.state = 2',
}

const BY_NAME = '(SELECT c.id FROM @.account c WHERE c.name = $1)'

export class PostgresRecords implements Records {
  readonly #access: Access
  readonly #machine: string

  /** `machine`: this one's name. */
  constructor(access: Access, machine: string) {
    this.#access = access
    this.#machine = machine
  }

  async *list(account: string, selection: Selection): AsyncIterable<readonly MessageRecord[]> {
    const sql = `SELECT ${RECORD} FROM @.message m WHERE m.account = ${BY_NAME} AND m.row > $2 AND m.row <= $3
      ${CONDITIONS[selection]} ORDER BY m.row LIMIT ${PAGE}`
    const last = await this.#lastRow(account)
    for (let after = 0; after < last;) {
      const rows = await this.#access.read(sql, [toBytes(account), after, after + PASSED])
      if (rows.length > 0) yield await this.#records(rows)
      after = rows.length < PAGE ? after + PASSED : number(rows.at(-1)?.[1])
    }
  }

  async #lastRow(account: string): Promise<number> {
    const [row] = await this.#access.read('SELECT c.last_row FROM @.account c WHERE c.name = $1', [toBytes(account)])
    return row === undefined ? 0 : number(row[0])
  }

  /** Rows that begin with RECORD, with their deliveries. */
  async #records(rows: readonly Row[]): Promise<readonly MessageRecord[]> {
    const sql = `SELECT ${DELIVERY} FROM unnest($1::integer[], $2::integer[]) AS k (account, number)
      JOIN @.delivery d ON d.account = k.account AND d.row = k.number ORDER BY d.account, d.row, d.destination, d.recipient`
    const columns = [rows.map((row) => number(row[0])), rows.map((row) => number(row[1]))]
    const deliveries = rows.length === 0 ? [] : await this.#access.read(sql, columns)
    const place = (row: Row): string => `${number(row[0])} ${number(row[1])}`
    const byMessage = Map.groupBy(deliveries, place)
    return rows.map((row) => recordOf(row, (byMessage.get(place(row)) ?? []).map(deliveryRecordOf)))
  }

  async find(account: string, uidl: string): Promise<readonly MessageRecord[]> {
    const sql = `SELECT ${RECORD} FROM @.message m WHERE m.account = ${BY_NAME} AND m.uidl = $2 ORDER BY m.copy`
    return await this.#records(await this.#access.read(sql, [toBytes(account), uidlBytes(uidl)]))
  }

  async unsettled(): Promise<ReadonlyMap<string, Unsettled>> {
    const [states, undeleted] = await Promise.all([
      this.#access.read(`SELECT c.name, m.state, count(*) FROM @.message m JOIN @.account c ON c.id = m.account
        WHERE m.state IN (0, 3, 4) GROUP BY c.id, c.name, m.state`),
      this.#access.read(`SELECT c.name, count(*) FROM @.message m JOIN @.account c ON c.id = m.account
        WHERE m.deletion_wanted_ms IS NOT NULL GROUP BY c.id, c.name`),
    ])
    const found = new Map<string, { -readonly [Name in keyof Unsettled]: number }>()
    const of = (row: Row) => {
      const name = text(row[0])
      const counts = found.get(name) ?? { waiting: 0, refused: 0, held: 0, undeleted: 0 }
      found.set(name, counts)
      return counts
    }
    for (const row of states) {
      const kind = row[1] === HELD ? 'held' : row[1] === OPEN_REFUSED ? 'refused' : 'waiting'
      of(row)[kind] = number(row[2])
    }
    for (const row of undeleted) of(row).undeleted = number(row[1])
    return found
  }

  async lacking(): Promise<ReadonlyMap<string, Lacking>> {
    const rows = await this.#access
      .read(`SELECT d.destination, d.state = 3, count(DISTINCT (d.account, d.row)), min(m.first_seen_ms)
      FROM @.message m JOIN @.delivery d ON d.account = m.account AND d.row = m.row
      WHERE m.state IN (0, 4) AND d.state <> 2 GROUP BY 1, 2`)
    const found = new Map<string, Lacking>()
    for (const row of rows) {
      const name = text(row[0])
      const before = found.get(name) ?? { waiting: 0, refused: 0, oldestMs: null }
      found.set(
        name,
        isTrue(row[1])
          ? { ...before, refused: number(row[2]) }
          : { ...before, waiting: number(row[2]), oldestMs: number(row[3]) },
      )
    }
    return found
  }

  async outstanding({
    ofAccount,
    inAll,
  }: {
    readonly ofAccount: number
    readonly inAll: number
  }): Promise<ReadonlyMap<string, readonly MessageRecord[]>> {
    const found = new Map<string, MessageRecord[]>()
    let left = inAll
    // First what a person must look at.
    for (const states of ['3, 4', '0']) {
      if (left <= 0) break
      const sql = `SELECT ${RECORD}, m.name FROM (SELECT m.*, c.name, row_number() OVER (PARTITION BY m.account ORDER BY m.row) AS place
          FROM @.message m JOIN @.account c ON c.id = m.account WHERE m.state IN (0, 3, 4) AND m.state IN (${states})) m
        WHERE m.place <= $1 ORDER BY m.first_seen_ms, m.account, m.row LIMIT $2`
      const rows = await this.#access.read(sql, [ofAccount, left])
      const records = await this.#records(rows)
      for (const [place, record] of records.entries()) {
        const name = text(rows[place]?.at(-1))
        const list = found.get(name) ?? []
        list.push(record)
        found.set(name, list)
      }
      left -= records.length
    }
    return found
  }

  async days(days: number, accounts?: readonly string[]): Promise<ReadonlyMap<string, readonly Day[]>> {
    const today = `floor(coalesce($1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) / 86400000.0)::integer`
    const rows = await this.#access.read(
      `SELECT c.name, d.day, d.delivered, d.bytes, d.failures, d.longest_wait_ms
       FROM @.day d JOIN @.account c ON c.id = d.account, (SELECT ${today} AS day) t
       WHERE d.day > t.day - $2 AND d.day <= t.day AND ($3::bytea[] IS NULL OR c.name = ANY ($3::bytea[])) ORDER BY c.id, d.day`,
      [this.#access.nowMs, Math.min(days, DAYS_KEPT), accounts?.map(toBytes) ?? null],
    )
    const found = new Map<string, Day[]>()
    for (const row of rows) {
      const list = found.get(text(row[0])) ?? []
      list.push({
        startMs: number(row[1]) * DAY_MS,
        delivered: number(row[2]),
        bytes: number(row[3]),
        failures: number(row[4]),
        longestWaitMs: number(row[5]),
      })
      found.set(text(row[0]), list)
    }
    return found
  }

  async undeleted(account: string): Promise<number> {
    const sql = `SELECT count(*) FROM @.message m WHERE m.account = ${BY_NAME} AND m.deletion_wanted_ms IS NOT NULL`
    return number((await this.#access.read(sql, [toBytes(account)]))[0]?.[0])
  }

  async owners(accounts: readonly string[], uidls: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    const sql = `SELECT c.name, (SELECT count(*) FROM unnest($2::bytea[]) AS k (uidl) WHERE EXISTS
        (SELECT 1 FROM @.message m WHERE m.account = c.id AND m.uidl = k.uidl))
      FROM @.account c WHERE c.name = ANY ($1::bytea[])`
    for (let first = 0; first < uidls.length; first += KEYS) {
      const keys = uidls.slice(first, first + KEYS).map(uidlBytes)
      for (const row of await this.#access.read(sql, [accounts.map(toBytes), keys])) {
        const known = number(row[1])
        if (known > 0) found.set(text(row[0]), (found.get(text(row[0])) ?? 0) + known)
      }
    }
    return found
  }

  async forget(lease: Lease, keys: readonly EntryKey[], facts: FactChanges): Promise<number> {
    let forgotten = 0
    for (let first = 0; first < keys.length; first += REMOVED) {
      const slice = keys.slice(first, first + REMOVED).map(at)
      forgotten += await this.#remove(lease, 'forget_keys', { keys: slice }, facts)
    }
    return forgotten
  }

  async forgetAll(lease: Lease, facts: FactChanges): Promise<number> {
    for (let forgotten = 0; ;) {
      const removed = await this.#remove(lease, 'forget_some', { most: REMOVED }, facts)
      forgotten += removed
      if (removed < REMOVED) return forgotten
    }
  }

  #remove(lease: Lease, how: 'forget_keys' | 'forget_some', which: object, facts: FactChanges): Promise<number> {
    return this.#access.change(
      lease,
      [
        ['merge_facts', factsOf(facts)],
        [how, which],
      ],
      { items: REMOVED },
    )
  }

  async retry(lease: Lease, which: readonly Waiting[]): Promise<number> {
    return await this.#access.change(lease, [['retry', { which, machine: base64(this.#machine) }]])
  }

  async cutOff(): Promise<readonly string[]> {
    const sql = `SELECT c.name FROM @.account c WHERE c.id IN
        (SELECT d.account FROM @.message m JOIN @.delivery d ON d.account = m.account AND d.row = m.row
          WHERE m.state IN (0, 3, 4) AND m.state <> 3 AND d.state IN (1, 4) AND d.machine = $1)
      AND NOT EXISTS (SELECT 1 FROM @.lease l WHERE l.account = c.name) ORDER BY c.name`
    return (await this.#access.read(sql, [toBytes(this.#machine)])).map(([name]) => text(name))
  }

  async remove(lease: Lease): Promise<void> {
    await this.#access.change(lease, [['remove', null]])
  }

  async rename(from: Lease, to: Lease): Promise<boolean> {
    if (!this.#access.closed) to.requireHeld()
    const change = { from: base64(from.account), to: base64(to.account) }
    return (await this.#access.change(from, [['rename', change]])) === 1
  }

  async dropHeadings(keep: 'open' | 'none'): Promise<void> {
    const rows = await this.#access.read('SELECT c.id, c.last_row FROM @.account c WHERE c.known > 0')
    for (const [account, last] of rows) {
      for (let after = 0; after < number(last); after += PASSED) {
        const range: readonly Value[] = [account as number, after, after + PASSED]
        const settled = keep === 'none' ? '' : 'AND m.state IN (1, 2)'
        const found = await this.#access.read(
          `SELECT 1 FROM @.message m WHERE m.account = $1 AND m.row > $2 AND m.row <= $3 ${settled}
           AND (m.sender IS NOT NULL OR m.subject IS NOT NULL OR m.date_ms IS NOT NULL) LIMIT 1`,
          range,
        )
        // Nearly always there are none, and then nothing is to be written.
        if (found.length === 0) continue
        await this.#access.write([['drop_headings', { account, after, until: after + PASSED, all: keep === 'none' }]])
      }
    }
  }

  async note(account: string, facts: FactChanges): Promise<void> {
    await this.#access.write([['note', { account: base64(account), facts: factsOf(facts) }]])
  }

  /** Its caller says what to do instead: pg_dump. */
  backup(): Promise<void> {
    return Promise.reject(bug('a database is not copied into a file'))
  }

  copyDaily(): Promise<'elsewhere'> {
    return Promise.resolve('elsewhere')
  }
}
