// Rows of messages and deliveries with all their columns, for people to look at. Synchronous; reads only, but for the removal
// of whole messages. One rule: a statement looks at a bounded number of rows, however many the ledger has.
import type { DatabaseSync } from 'node:sqlite'
import type { EntryKey } from '../../ledger.ts'
import { DELIVERY_COLUMNS, deliveryOf } from './known.ts'
import type { DeliveryRecord, MessageRecord, Selection, Waiting } from '../../records.ts'
import {
  bytes,
  bytesOrNull,
  DELIVERED,
  DONE,
  FAILED,
  harm,
  HELD,
  lastRow,
  messageState,
  number,
  numberOrNull,
  onward,
  OPEN,
  OPEN_REFUSED,
  pendingDeletion,
  REFUSED,
  rowOf,
  rowsOf,
  SEEN,
  STARTED,
  text,
  textOrNull,
  type Row,
  uidlBytes,
  UNKNOWN,
} from './row.ts'
import { Statements } from './statements.ts'

/** Messages looked at by one statement, and given in one slice: some milliseconds, with the printing of all of them. */
export const ROWS_PER_STATEMENT = 200
/** Counting looks at the state alone: 5 ms. */
export const COUNTED_PER_STATEMENT = 20_000
/** As many with the deliveries of each, should all of them be open: 10 ms. */
export const JOINED_PER_STATEMENT = 5000
/** Rows of which perhaps each is changed. */
export const CHANGED_PER_STATEMENT = 2000

const COLUMNS = `id, uidl, copy, state, first_seen_ms, listed_bytes, received_bytes, message_id, fingerprint, digest, attempts,
  retry_after_ms, reason, delivered_ms, deletions, deleted_ms, gone_since_ms, sender, subject, date_ms, deletion_wanted_ms,
  deletion_tried, deletion_reason, harm`

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

export interface LackingRow {
  readonly destination: string
  readonly isRefused: boolean
  readonly messages: number
  readonly oldestMs: number
}

export interface OutstandingRow {
  readonly account: number
  /** None of its deliveries is refused. */
  readonly isOpen: boolean
  readonly message: MessageRecord
}

export class RecordRows {
  readonly #statements: Statements

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database)
  }

  page(account: number, selection: Selection, after: number): Page {
    if (selection === 'held') return this.#troublePage(account, HELD, after)
    if (selection === 'refused') return this.#troublePage(account, OPEN_REFUSED, after)
    const until = after + ROWS_PER_STATEMENT
    const sql = `${BY_NUMBER} ${CONDITIONS[selection]}`
    const messages = rowsOf(this.#statements.of(sql), after, until, account).map((row) => this.#message(row))
    return { messages, next: until < this.lastNumber() ? until : null }
  }

  #troublePage(account: number, state: typeof HELD | typeof OPEN_REFUSED, after: number): Page {
    const sql = `${BY_TROUBLE} AND state = ? AND id > ? ORDER BY id LIMIT ${ROWS_PER_STATEMENT}`
    const rows = rowsOf(this.#statements.of(sql), account, state, after)
    const last = rows.length < ROWS_PER_STATEMENT ? undefined : rows.at(-1)
    return {
      messages: rows.map((row) => this.#message(row)),
      next: last === undefined ? null : onward(after, number(last[0])),
    }
  }

  find(account: number, uidl: string): readonly MessageRecord[] {
    const sql = `SELECT ${COLUMNS} FROM message WHERE account = ? AND uidl = ? ORDER BY copy`
    return rowsOf(this.#statements.of(sql), account, uidlBytes(uidl)).map((row) => this.#message(row))
  }

  lastNumber(): number {
    return lastRow(rowOf(this.#statements.of('SELECT max(id) FROM message'))?.[0])
  }

  /** Counts among the COUNTED_PER_STATEMENT rows after `after`. */
  unsettled(after: number): readonly UnsettledRow[] {
    const sql = `SELECT account, state, count(*) FROM message NOT INDEXED
      WHERE id > ? AND id <= ? AND state IN (${OPEN}, ${OPEN_REFUSED}, ${HELD}) GROUP BY account, state`
    return rowsOf(this.#statements.of(sql), after, after + COUNTED_PER_STATEMENT).map((row) => {
      const state = number(row[1])
      return {
        account: number(row[0]),
        state: state === HELD || state === OPEN_REFUSED ? state : OPEN,
        messages: number(row[2]),
      }
    })
  }

  /** What destinations lack among the JOINED_PER_STATEMENT rows after `after`. */
  lacking(after: number): readonly LackingRow[] {
    const sql = `SELECT destination, delivery.state = ${REFUSED}, count(DISTINCT message.id), min(first_seen_ms)
      FROM message NOT INDEXED JOIN delivery ON delivery.message = message.id
      WHERE message.id > ? AND message.id <= ? AND message.state IN (${OPEN}, ${OPEN_REFUSED})
      AND delivery.state <> ${DONE} GROUP BY 1, 2`
    return rowsOf(this.#statements.of(sql), after, after + JOINED_PER_STATEMENT).map((row) => ({
      destination: text(row[0]),
      isRefused: number(row[1]) === 1,
      messages: number(row[2]),
      oldestMs: number(row[3]),
    }))
  }

  /** Among the COUNTED_PER_STATEMENT rows after `after` the first messages of each account, `ofAccount` at most. `kept`: refused
   *  and held ones. */
  outstanding(states: 'open' | 'kept', after: number, ofAccount: number): readonly OutstandingRow[] {
    const among = states === 'open' ? String(OPEN) : `${OPEN_REFUSED}, ${HELD}`
    const numbered = `SELECT id, row_number() OVER (PARTITION BY account ORDER BY id) AS place
      FROM message NOT INDEXED WHERE id > ? AND id <= ? AND state IN (${among})`
    const sql = `SELECT ${COLUMNS}, account FROM message
      WHERE id IN (SELECT id FROM (${numbered}) WHERE place <= ?) ORDER BY id`
    return rowsOf(this.#statements.of(sql), after, after + COUNTED_PER_STATEMENT, ofAccount).map((row) => ({
      account: number(row.at(-1)),
      isOpen: states === 'open',
      message: this.#message(row),
    }))
  }

  /** The number of messages of each account with a deletion outstanding. */
  undeleted(): readonly { readonly account: number; readonly messages: number }[] {
    const sql = `SELECT account, count(*) FROM message INDEXED BY message_undeleted
      WHERE deletion_wanted_ms IS NOT NULL GROUP BY account`
    return rowsOf(this.#statements.of(sql)).map((row) => ({ account: number(row[0]), messages: number(row[1]) }))
  }

  undeletedOf(account: number): number {
    const sql = `SELECT count(*) FROM message INDEXED BY message_undeleted WHERE deletion_wanted_ms IS NOT NULL AND account = ?`
    return number(rowOf(this.#statements.of(sql), account)?.[0])
  }

  hasHeadings(keep: 'open' | 'none', after: number): boolean {
    const sql = `SELECT 1 FROM message NOT INDEXED WHERE ${unwanted(keep)} LIMIT 1`
    return rowOf(this.#statements.of(sql), after, after + CHANGED_PER_STATEMENT) !== null
  }

  /** Inside a transaction. */
  dropHeadings(keep: 'open' | 'none', after: number): void {
    const sql = `UPDATE message SET sender = NULL, subject = NULL, date_ms = NULL WHERE ${unwanted(keep)}`
    this.#statements.of(sql).run(after, after + CHANGED_PER_STATEMENT)
  }

  /** Inside a transaction: makes those of the rows after `after` due that wait so; gives how many. */
  retry(account: number, which: readonly Waiting[], after: number): number {
    const range = `message.account = ?1 AND message.id > ?2 AND message.id <= ?3`
    const at = [account, after, after + ROWS_PER_STATEMENT] as const
    let due = 0
    if (which.includes('held')) {
      const held = `SELECT id FROM message WHERE ${range} AND state = ${HELD}`
      this.#statements
        .of(`UPDATE delivery SET retry_after_ms = 0, unknowns = 0 WHERE state <> ${DONE} AND message IN (${held})`)
        .run(...at)
      const reopened = this.#statements
        .of(
          `UPDATE message SET attempts = 0, retry_after_ms = 0, state = iif(EXISTS (SELECT 1 FROM delivery
         WHERE message = message.id AND state = ${REFUSED}), ${OPEN_REFUSED}, ${OPEN}) WHERE ${range} AND state = ${HELD}`,
        )
        .run(...at)
      due += Number(reopened.changes)
    }
    const states = [
      ...(which.includes('deferred') ? [FAILED, UNKNOWN] : []),
      ...(which.includes('refused') ? [REFUSED] : []),
    ]
    const open = `SELECT id FROM message WHERE ${range} AND state IN (${OPEN}, ${OPEN_REFUSED})`
    if (which.includes('elsewhere')) {
      const there = `machine IS NOT NULL AND state IN (${STARTED}, ${UNKNOWN}) AND message IN (${open})`
      const messages = rowOf(this.#statements.of(`SELECT count(DISTINCT message) FROM delivery WHERE ${there}`), ...at)
      this.#statements.of(`UPDATE delivery SET machine = NULL WHERE ${there}`).run(...at)
      due += number(messages?.[0])
    }
    if (states.length === 0) return due
    const waiting = `state IN (${states.join(', ')}) AND message IN (${open})`
    const rows = rowsOf(this.#statements.of(`SELECT DISTINCT message FROM delivery WHERE ${waiting}`), ...at)
    this.#statements.of(`UPDATE delivery SET retry_after_ms = 0 WHERE ${waiting}`).run(...at)
    for (const row of rows)
      this.#statements.of('UPDATE message SET retry_after_ms = 0 WHERE id = ?').run(number(row[0]))
    return due + rows.length
  }

  knows(account: number, uidl: string): boolean {
    return (
      rowOf(this.#statements.of(`SELECT 1 FROM message WHERE account = ? AND uidl = ?`), account, uidlBytes(uidl)) !==
      null
    )
  }

  hasMessages(account: number): boolean {
    return rowOf(this.#statements.of('SELECT 1 FROM message WHERE account = ?'), account) !== null
  }

  /** Inside a transaction. 1 if there was such a message, else 0. */
  remove(account: number, { uidl, copy }: EntryKey): number {
    const sql = 'SELECT id FROM message WHERE account = ? AND uidl = ? AND copy = ?'
    const row = rowOf(this.#statements.of(sql), account, uidlBytes(uidl), copy)
    if (row === null) return 0
    this.#removeRow(number(row[0]))
    return 1
  }

  /** Inside a transaction. Up to `limit` messages, whichever; gives how many. */
  removeSome(account: number, limit: number): number {
    const rows = rowsOf(this.#statements.of('SELECT id FROM message WHERE account = ? LIMIT ?'), account, limit)
    for (const row of rows) this.#removeRow(number(row[0]))
    return rows.length
  }

  #removeRow(id: number): void {
    this.#statements.of('DELETE FROM delivery WHERE message = ?').run(id)
    this.#statements.of('DELETE FROM message WHERE id = ?').run(id)
  }

  #message(row: Row): MessageRecord {
    return {
      key: { uidl: bytes(row[1]).toString('latin1'), copy: number(row[2]) },
      state: messageState(number(row[3])),
      firstSeenMs: number(row[4]),
      listedBytes: numberOrNull(row[5]),
      receivedBytes: numberOrNull(row[6]),
      messageId: textOrNull(row[7]),
      from: textOrNull(row[17]),
      subject: textOrNull(row[18]),
      dateMs: numberOrNull(row[19]),
      fingerprint: bytesOrNull(row[8]),
      digest: bytesOrNull(row[9]),
      attempts: number(row[10]),
      retryAfterMs: number(row[11]),
      reason: textOrNull(row[12]),
      deliveredMs: numberOrNull(row[13]),
      deletions: number(row[14]),
      deletedMs: numberOrNull(row[15]),
      goneSinceMs: numberOrNull(row[16]),
      deletion: pendingDeletion(row.slice(20, 23)),
      harm: harm(row[23]),
      deliveries: this.#deliveries(number(row[0])),
    }
  }

  #deliveries(message: number): readonly DeliveryRecord[] {
    const sql = `SELECT ${DELIVERY_COLUMNS}, settled_ms, receipt FROM delivery WHERE message = ? ORDER BY destination, recipient`
    return rowsOf(this.#statements.of(sql), message).map((row) => ({
      ...deliveryOf(row),
      settledMs: numberOrNull(row[13]),
      receipt: textOrNull(row[14]),
    }))
  }
}

const CONDITIONS = {
  all: '',
  open: `AND state IN (${OPEN}, ${OPEN_REFUSED})`,
  delivered: `AND state = ${DELIVERED}`,
  seen: `AND state = ${SEEN}`,
} as const

/** Rows with headings that are not to be kept. */
function unwanted(keep: 'open' | 'none'): string {
  const settled = keep === 'none' ? '' : ` AND state IN (${DELIVERED}, ${SEEN})`
  return `id > ? AND id <= ? AND (sender IS NOT NULL OR subject IS NOT NULL OR date_ms IS NOT NULL)${settled}`
}
