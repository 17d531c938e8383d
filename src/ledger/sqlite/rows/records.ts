// Rows of messages and deliveries with all their columns, for people to look at. Synchronous; reads only, but for the removal
// of whole messages. One rule: a statement looks at a bounded number of rows, however many the ledger has.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { EntryKey } from '../../ledger.ts'
import type { DeliveryRecord, MessageRecord, Selection } from '../../records.ts'
import {
  DELIVERED,
  HELD,
  OPEN,
  OPEN_REFUSED,
  SEEN,
  bytes,
  bytesOrNull,
  deliveryState,
  messageState,
  number,
  numberOrNull,
  rowOf,
  rowsOf,
  text,
  textOrNull,
  type Row,
  uidlBytes,
} from './row.ts'

/** Messages looked at by one statement, and given in one slice: some milliseconds, with the printing of all of them. */
export const ROWS_PER_STATEMENT = 200
/** Counting looks at the state alone: 5 ms. */
export const COUNTED_PER_STATEMENT = 20_000

const COLUMNS = `id, uidl, copy, state, first_seen_ms, listed_bytes, received_bytes, message_id, fingerprint, digest, attempts,
  retry_after_ms, reason, delivered_ms, deletions, deleted_ms, gone_since_ms`

// By row number, not by an index: row numbers are dense, and pages come one after the other as they lie in the file.
const BY_NUMBER = `SELECT ${COLUMNS} FROM message NOT INDEXED WHERE id > ? AND id <= ? AND account = ?`
// The first term lets SQLite use the partial index message_trouble.
const BY_TROUBLE = `SELECT ${COLUMNS} FROM message WHERE account = ? AND state IN (3, 4)`

/** The next rows of a selection, and where to go on; null: that was all. */
export interface Page {
  readonly messages: readonly MessageRecord[]
  readonly next: number | null
}

export interface UnsettledRow {
  readonly account: number
  readonly state: typeof OPEN | typeof OPEN_REFUSED | typeof HELD
  readonly messages: number
}

export class RecordRows {
  readonly #database: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** Statements are made at first use: a poll needs none of them. */
  #statement(sql: string): StatementSync {
    const prepared = this.#prepared.get(sql) ?? this.#database.prepare(sql)
    this.#prepared.set(sql, prepared)
    return prepared
  }

  page(account: number, selection: Selection, after: number): Page {
    if (selection === 'held') return this.#troublePage(account, HELD, after)
    if (selection === 'refused') return this.#troublePage(account, OPEN_REFUSED, after)
    const until = after + ROWS_PER_STATEMENT
    const sql = `${BY_NUMBER} ${CONDITIONS[selection]}`
    const messages = rowsOf(this.#statement(sql), after, until, account).map((row) => this.#message(row))
    return { messages, next: until < this.lastNumber() ? until : null }
  }

  #troublePage(account: number, state: typeof HELD | typeof OPEN_REFUSED, after: number): Page {
    const sql = `${BY_TROUBLE} AND state = ? AND id > ? ORDER BY id LIMIT ${ROWS_PER_STATEMENT}`
    const rows = rowsOf(this.#statement(sql), account, state, after)
    const last = rows.length < ROWS_PER_STATEMENT ? undefined : rows.at(-1)
    return { messages: rows.map((row) => this.#message(row)), next: last === undefined ? null : number(last[0]) }
  }

  find(account: number, uidl: string): readonly MessageRecord[] {
    const sql = `SELECT ${COLUMNS} FROM message WHERE account = ? AND uidl = ? ORDER BY copy`
    return rowsOf(this.#statement(sql), account, uidlBytes(uidl)).map((row) => this.#message(row))
  }

  lastNumber(): number {
    return numberOrNull(rowOf(this.#statement('SELECT max(id) FROM message'))?.[0]) ?? 0
  }

  /** Counts among the COUNTED_PER_STATEMENT rows after `after`. */
  unsettled(after: number): readonly UnsettledRow[] {
    const sql = `SELECT account, state, count(*) FROM message NOT INDEXED
      WHERE id > ? AND id <= ? AND state IN (${OPEN}, ${OPEN_REFUSED}, ${HELD}) GROUP BY account, state`
    return rowsOf(this.#statement(sql), after, after + COUNTED_PER_STATEMENT).map((row) => {
      const state = number(row[1])
      return {
        account: number(row[0]),
        state: state === HELD || state === OPEN_REFUSED ? state : OPEN,
        messages: number(row[2]),
      }
    })
  }

  knows(account: number, uidl: string): boolean {
    return (
      rowOf(this.#statement(`SELECT 1 FROM message WHERE account = ? AND uidl = ?`), account, uidlBytes(uidl)) !== null
    )
  }

  hasMessages(account: number): boolean {
    return rowOf(this.#statement('SELECT 1 FROM message WHERE account = ?'), account) !== null
  }

  /** Inside a transaction. 1 if there was such a message, else 0. */
  remove(account: number, { uidl, copy }: EntryKey): number {
    const sql = 'SELECT id FROM message WHERE account = ? AND uidl = ? AND copy = ?'
    const row = rowOf(this.#statement(sql), account, uidlBytes(uidl), copy)
    if (row === null) return 0
    this.#removeRow(number(row[0]))
    return 1
  }

  /** Inside a transaction. Up to `limit` messages, whichever; gives how many. */
  removeSome(account: number, limit: number): number {
    const rows = rowsOf(this.#statement('SELECT id FROM message WHERE account = ? LIMIT ?'), account, limit)
    for (const row of rows) this.#removeRow(number(row[0]))
    return rows.length
  }

  #removeRow(id: number): void {
    this.#statement('DELETE FROM delivery WHERE message = ?').run(id)
    this.#statement('DELETE FROM message WHERE id = ?').run(id)
  }

  #message(row: Row): MessageRecord {
    return {
      key: { uidl: bytes(row[1]).toString('latin1'), copy: number(row[2]) },
      state: messageState(number(row[3])),
      firstSeenMs: number(row[4]),
      listedBytes: numberOrNull(row[5]),
      receivedBytes: numberOrNull(row[6]),
      messageId: textOrNull(row[7]),
      fingerprint: bytesOrNull(row[8]),
      digest: bytesOrNull(row[9]),
      attempts: number(row[10]),
      retryAfterMs: number(row[11]),
      reason: textOrNull(row[12]),
      deliveredMs: numberOrNull(row[13]),
      deletions: number(row[14]),
      deletedMs: numberOrNull(row[15]),
      goneSinceMs: numberOrNull(row[16]),
      deliveries: this.#deliveries(number(row[0])),
    }
  }

  #deliveries(message: number): readonly DeliveryRecord[] {
    const sql = `SELECT destination, recipient, state, intent, attempts, unknowns, error, retry_after_ms, settled_ms, receipt
      FROM delivery WHERE message = ? ORDER BY destination, recipient`
    return rowsOf(this.#statement(sql), message).map((row) => ({
      destination: text(row[0]),
      recipient: text(row[1]),
      state: deliveryState(number(row[2])),
      intent: text(row[3]),
      attempts: number(row[4]),
      unknowns: number(row[5]),
      error: textOrNull(row[6]),
      retryAfterMs: number(row[7]),
      settledMs: numberOrNull(row[8]),
      receipt: textOrNull(row[9]),
    }))
  }
}

const CONDITIONS = {
  all: '',
  open: `AND state IN (${OPEN}, ${OPEN_REFUSED})`,
  delivered: `AND state = ${DELIVERED}`,
  seen: `AND state = ${SEEN}`,
} as const
