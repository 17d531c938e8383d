// The rows of pauses (../../pause.ts). A pause whose time has come is removed when the next one is written. Synchronous; see
// messages.ts.
import type { DatabaseSync } from 'node:sqlite'
import type { Pause, Paused } from '../../pause.ts'
import { Misread, number, numberOrNull, rowOf, rowsOf, text, type Row } from './row.ts'
import { Statements } from './statements.ts'

/** A longer text of who it was is cut. */
const BY_LIMIT = 200

const LASTING = '(until_ms IS NULL OR until_ms > ?1)'
const COLUMNS = 'kind, name, by_whom, since_ms, until_ms'

export class PauseRows {
  readonly #statements: Statements

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database)
  }

  all(kind: Paused['kind'] | null, nowMs: number): readonly Pause[] {
    const sql = `SELECT ${COLUMNS} FROM pause WHERE ${LASTING} AND (?2 IS NULL OR kind = ?2) ORDER BY kind, name`
    return rowsOf(this.#statements.of(sql), nowMs, kind).map(pause)
  }

  of({ kind, name }: Paused, nowMs: number): Pause | null {
    const sql = `SELECT ${COLUMNS} FROM pause WHERE ${LASTING} AND kind = ?2 AND name = ?3`
    const row = rowOf(this.#statements.of(sql), nowMs, kind, name)
    return row === null ? null : pause(row)
  }

  /** What a poll of this account is to know: its own, and those of destinations. */
  around(account: string, nowMs: number): readonly Pause[] {
    const sql = `SELECT ${COLUMNS} FROM pause WHERE ${LASTING} AND (kind = 'destination' OR name = ?2) ORDER BY kind, name`
    return rowsOf(this.#statements.of(sql), nowMs, account).map(pause)
  }

  begin({ kind, name }: Paused, by: string, untilMs: number | null, nowMs: number): Pause {
    this.#statements.of('DELETE FROM pause WHERE until_ms <= ?').run(nowMs)
    const sinceMs = this.of({ kind, name }, nowMs)?.sinceMs ?? nowMs
    const begun = { kind, name, by: by.slice(0, BY_LIMIT), sinceMs, untilMs }
    const sql = `INSERT OR REPLACE INTO pause (${COLUMNS}) VALUES (?, ?, ?, ?, ?)`
    this.#statements.of(sql).run(kind, name, begun.by, sinceMs, untilMs)
    return begun
  }

  end({ kind, name }: Paused): void {
    this.#statements.of('DELETE FROM pause WHERE kind = ? AND name = ?').run(kind, name)
  }

  /** It is called otherwise now. One that has the new name already goes on. */
  rename(kind: Paused['kind'], from: string, to: string): void {
    this.#statements.of('UPDATE OR IGNORE pause SET name = ?3 WHERE kind = ?1 AND name = ?2').run(kind, from, to)
    this.end({ kind, name: from })
  }
}

function pause([kind, name, by, sinceMs, untilMs]: Row): Pause {
  if (kind !== 'account' && kind !== 'destination') throw new Misread('the ledger holds a pause of something unknown')
  return { kind, name: text(name), by: text(by), sinceMs: number(sinceMs), untilMs: numberOrNull(untilMs) }
}
