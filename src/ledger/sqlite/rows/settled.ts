// Answers "for which messages is there nothing to do?" for a whole account, thousands per statement. SQLite joins the columns
// itself, because a row that becomes a JavaScript object costs ten times as much. Reads only.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Settled, SettledColumns } from '../../comparison.ts'
import { DELIVERED, SEEN, bytesOrNull, numberOrNull, rowOf, text } from './row.ts'

/** Rows of the file looked at before the event loop gets its turn: about 1 ms when the file is in memory. */
export const ROWS_PER_STATEMENT = 4096

/** Rows of other accounts are passed over in a sixteenth of the time that it takes to look a key up. */
const ROWS_PER_KEY = 16

/** Does going through the whole file up to this row cost less than looking up this many keys? */
export function isWorthwhile(lastRow: number, keys: number): boolean {
  return lastRow <= keys * ROWS_PER_KEY
}

/** The columns of some settled messages, and their row numbers: JSON, for `numbers`. */
export interface SettledSlice extends Omit<SettledColumns, 'position'> {
  readonly rows: string
}

export function numbers(json: string): Float64Array {
  return new Float64Array(JSON.parse(json) as readonly number[])
}

export class SettledRows {
  readonly #database: DatabaseSync
  #statement: StatementSync | null = null

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** Prepared when it is wanted: most mailboxes are small. */
  get #settled(): StatementSync {
    // UIDLs have no LF, so LF separates them. In the order of the rows: that of the listings that brought them.
    this.#statement ??= this.#database.prepare(
      `SELECT CAST(group_concat(uidl, x'0a') || x'0a' AS BLOB), json_group_array(id), json_group_array(coalesce(listed_bytes, -1)),
         min(iif(state = ${DELIVERED}, first_seen_ms, NULL))
       FROM message NOT INDEXED
       WHERE account = ?1 AND id > ?2 AND id <= ?3 AND copy = 0 AND gone_since_ms IS NULL AND deletions = 0
         AND deletion_wanted_ms IS NULL
         AND ((state = ${SEEN} AND first_seen_ms > ?4) OR (state = ${DELIVERED} AND first_seen_ms > ?5 AND first_seen_ms <= ?6))
         AND instr(uidl, x'0a') = 0`,
    )
    return this.#statement
  }

  /** Those between the rows `after` and `until`; none or one slice. */
  between(account: number, after: number, until: number, which: Settled): SettledSlice[] {
    const { seenAfterMs, deliveredAfterMs, deliveredUntilMs } = which
    const row = rowOf(this.#settled, account, after, until, seenAfterMs, deliveredAfterMs, deliveredUntilMs)
    const uidls = bytesOrNull(row?.[0] ?? null)
    if (uidls === null) return []
    return [
      {
        uidls,
        rows: text(row?.[1]),
        listedBytes: numbers(text(row?.[2])),
        deliveredSinceMs: numberOrNull(row?.[3] ?? null),
      },
    ]
  }
}
