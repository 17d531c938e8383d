// Of which messages From, Subject and Date are kept (`state.headers`). Triggers of the connection alone take them away in the
// transaction that brings them, or in which the message is delivered: whatever statement does it, none reaches the file.
import type { DatabaseSync } from 'node:sqlite'
import { DELIVERED, SEEN } from './row.ts'

/** `open`: of what is not delivered yet. */
export type Headers = 'all' | 'open' | 'none'

export function keepHeaders(database: DatabaseSync, headers: Headers): void {
  if (headers === 'all') return
  const settled = headers === 'none' ? '' : ` AND NEW.state IN (${DELIVERED}, ${SEEN})`
  database.exec(`CREATE TEMP TRIGGER unkept_headers AFTER UPDATE OF sender, subject, date_ms, state ON main.message
    WHEN (NEW.sender IS NOT NULL OR NEW.subject IS NOT NULL OR NEW.date_ms IS NOT NULL)${settled}
    BEGIN UPDATE message SET sender = NULL, subject = NULL, date_ms = NULL WHERE id = NEW.id; END`)
}
