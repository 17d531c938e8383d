// The rows of destinations: their rests, and the answers in a row. A record is small and read as a whole: one column of JSON.
// Synchronous; see messages.ts.
import type { DatabaseSync } from 'node:sqlite'
import {
  blankDestination,
  isBlank,
  type DestinationRecord,
  LONGEST_ROW,
  MOST_OPENERS,
  nameOfMessage,
} from '../../destination.ts'
import {
  DONE,
  FAILED,
  OPEN,
  OPEN_REFUSED,
  REFUSED,
  Misread,
  bytes,
  number,
  rowOf,
  rowsOf,
  text,
  type Row,
} from './row.ts'
import { Statements } from './statements.ts'

/** Longer texts of strangers are cut: what they make us remember is bounded. */
const TEXT_LIMIT = 1000

export class DestinationRows {
  readonly #statements: Statements

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database)
  }

  all(): readonly DestinationRecord[] {
    return rowsOf(this.#statements.of('SELECT key, recipient, record FROM destination ORDER BY key, recipient')).map(
      record,
    )
  }

  read(key: string, recipient: string): DestinationRecord {
    const sql = 'SELECT key, recipient, record FROM destination WHERE key = ? AND recipient = ?'
    const row = rowOf(this.#statements.of(sql), key, recipient)
    return row === null ? blankDestination(key, recipient) : record(row)
  }

  write(record: DestinationRecord): void {
    const { key, recipient, ...rest } = record
    if (isBlank(record)) {
      this.#statements.of('DELETE FROM destination WHERE key = ? AND recipient = ?').run(key, recipient)
      return
    }
    const kept = { ...rest, row: rest.row.slice(-LONGEST_ROW), former: rest.former.slice(-MOST_OPENERS) }
    const json = JSON.stringify(kept, (_, value: unknown) =>
      typeof value === 'string' ? value.slice(0, TEXT_LIMIT) : value,
    )
    this.#statements
      .of(
        `INSERT INTO destination (key, recipient, record) VALUES (?, ?, ?)
       ON CONFLICT (key, recipient) DO UPDATE SET record = excluded.record`,
      )
      .run(key, recipient, json)
  }

  /** See Ledger.absolve. */
  absolve(messages: readonly string[], destinations: readonly string[], recipient: string | null): void {
    for (const name of messages) {
      for (const message of this.#refused(name)) {
        const changed = destinations.map((destination) =>
          this.#statements
            .of(
              `UPDATE delivery SET state = ${FAILED}, refusals = max(0, refusals - 1), retry_after_ms = 0
             WHERE message = ?1 AND destination = ?2 AND state = ${REFUSED} AND (?3 IS NULL OR recipient = ?3)`,
            )
            .run(message, destination, recipient),
        )
        if (changed.some(({ changes }) => changes > 0)) this.#reopen(message)
      }
    }
  }

  /** The rows of a message with a refused delivery. */
  #refused(name: string): readonly number[] {
    const [account, copy, short] = JSON.parse(name) as [string, number, string]
    // The first term lets SQLite use the partial index message_trouble.
    const sql = `SELECT m.id, m.uidl FROM message m JOIN account a ON a.id = m.account
      WHERE a.name = ? AND m.state IN (3, 4) AND m.state = ${OPEN_REFUSED} AND m.copy = ?`
    return rowsOf(this.#statements.of(sql), account, copy)
      .filter((row) => {
        const uidl = bytes(row[1])
        // A very long UIDL is kept as its SHA-256, which is what its name has as well.
        return (
          short === uidl.toString('hex') || nameOfMessage(account, { uidl: uidl.toString('latin1'), copy }) === name
        )
      })
      .map((row) => number(row[0]))
  }

  #reopen(message: number): void {
    this.#statements
      .of(
        `UPDATE message SET
         state = iif((SELECT count(*) FROM delivery WHERE message = ?1 AND state = ${REFUSED}) > 0, ${OPEN_REFUSED}, ${OPEN}),
         retry_after_ms = (SELECT coalesce(min(retry_after_ms), 0) FROM delivery WHERE message = ?1 AND state <> ${DONE})
       WHERE id = ?1`,
      )
      .run(message)
    this.#statements
      .of(
        'UPDATE account SET mark_digest = NULL, mark_due_ms = NULL WHERE id = (SELECT account FROM message WHERE id = ?)',
      )
      .run(message)
  }

  rename(from: string, to: string): number {
    const { changes } = this.#statements
      .of('UPDATE OR IGNORE delivery SET destination = ?2 WHERE destination = ?1')
      .run(from, to)
    return Number(changes)
  }
}

function record(row: Row): DestinationRecord {
  const [key, recipient, json] = row.map(text)
  try {
    return {
      ...blankDestination(key ?? '', recipient ?? ''),
      ...(JSON.parse(json ?? '') as Omit<DestinationRecord, 'key' | 'recipient'>),
    }
  } catch (thrown) {
    throw new Misread('a destination with broken JSON', { cause: thrown })
  }
}
