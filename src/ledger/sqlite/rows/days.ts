// The rows of days: what an account's polls brought, for people to look at. A row is some 30 bytes, and an account has at most
// DAYS_KEPT. Also memos, which belong to no account. Synchronous; see messages.ts.
import type { DatabaseSync } from 'node:sqlite'
import { type DayCounts, DAYS_KEPT } from '../../account.ts'
import type { Day } from '../../records.ts'
import { number, onward, type Row, rowOf, rowsOf, text } from './row.ts'
import { Statements } from './statements.ts'

const DAY_MS = 86_400_000

export interface DayRow extends Day {
  readonly account: number
}

export class DayRows {
  readonly #statements: Statements

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database)
  }

  /** Inside a transaction. Days that are too old go, and so do those to come: a clock was ahead when they were written (S040). */
  add(account: number, { delivered, bytes, failures, longestWaitMs }: DayCounts, nowMs: number): void {
    const day = dayOf(nowMs)
    this.#statements
      .of('DELETE FROM day WHERE account = ? AND (day <= ? OR day > ?)')
      .run(account, day - DAYS_KEPT, day)
    this.#statements
      .of(
        `INSERT INTO day (account, day, delivered, bytes, failures, longest_wait_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (account, day) DO UPDATE SET delivered = delivered + excluded.delivered, bytes = bytes + excluded.bytes,
       failures = failures + excluded.failures, longest_wait_ms = max(longest_wait_ms, excluded.longest_wait_ms)`,
      )
      .run(account, day, delivered, bytes, failures, longestWaitMs)
  }

  /** Of the accounts after this one, `limit` at most; the accounts whole and in their order. */
  after(account: number, days: number, nowMs: number, limit: number): readonly DayRow[] {
    const day = dayOf(nowMs)
    const accounts = 'SELECT DISTINCT account FROM day WHERE account > ?1 ORDER BY account LIMIT ?2'
    const sql = `SELECT account, day, delivered, bytes, failures, longest_wait_ms FROM day
      WHERE account IN (${accounts}) AND day > ?3 AND day <= ?4 ORDER BY account, day`
    return rowsOf(this.#statements.of(sql), account, limit, day - Math.min(days, DAYS_KEPT), day).map(
      ([account = null, ...cells]) => ({
        account: number(account),
        ...dayIn(cells),
      }),
    )
  }

  /** Of one account. */
  of(account: number, days: number, nowMs: number): readonly Day[] {
    const day = dayOf(nowMs)
    const sql = `SELECT day, delivered, bytes, failures, longest_wait_ms FROM day
      WHERE account = ? AND day > ? AND day <= ? ORDER BY day`
    return rowsOf(this.#statements.of(sql), account, day - Math.min(days, DAYS_KEPT), day).map(dayIn)
  }

  /** The last account that `after` gives with this limit; null: there is none. */
  lastOf(account: number, limit: number): number | null {
    const sql = `SELECT max(account) FROM (SELECT DISTINCT account FROM day WHERE account > ? ORDER BY account LIMIT ?)`
    const last = rowOf(this.#statements.of(sql), account, limit)?.[0]
    return last === null || last === undefined ? null : onward(account, number(last))
  }

  /** Numbers of accounts are used again. */
  forget(account: number): void {
    this.#statements.of('DELETE FROM day WHERE account = ?').run(account)
  }

  memo(name: string): string | null {
    const row = rowOf(this.#statements.of('SELECT text FROM memo WHERE name = ?'), name)
    return row === null ? null : text(row[0])
  }

  /** Those whose names begin so, with their texts. */
  memos(prefix: string): readonly (readonly [name: string, text: string])[] {
    const rows = rowsOf(
      this.#statements.of('SELECT name, text FROM memo WHERE name >= ? AND name < ? ORDER BY name'),
      prefix,
      `${prefix}\u{10ffff}`,
    )
    return rows.map((row) => [text(row[0]), text(row[1])] as const)
  }

  setMemo(name: string, memo: string | null): void {
    if (memo === null) this.#statements.of('DELETE FROM memo WHERE name = ?').run(name)
    else
      this.#statements
        .of('INSERT INTO memo (name, text) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text')
        .run(name, memo)
  }
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS)
}

function dayIn(row: Row): Day {
  return {
    startMs: number(row[0]) * DAY_MS,
    delivered: number(row[1]),
    bytes: number(row[2]),
    failures: number(row[3]),
    longestWaitMs: number(row[4]),
  }
}
