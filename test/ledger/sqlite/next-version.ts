// A ledger that the next popfetch has written: one more column in each table, one more table. For going back to this version.
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { MIGRATIONS, migrate, type Step } from '../../../src/ledger/sqlite/schema/migrations.ts'
import { openLedger, type LedgerOptions } from '../../../src/ledger/sqlite/open.ts'

const TABLES = ['account', 'message', 'delivery', 'lease', 'destination', 'day', 'memo']

export const NEXT: Step = {
  sql: `${TABLES.map((name) => `ALTER TABLE ${name} ADD COLUMN news TEXT NOT NULL DEFAULT 'none'`).join(';')};
    CREATE TABLE next_news (id INTEGER PRIMARY KEY) STRICT; CREATE INDEX message_news ON message (account, news)`,
  oldest: MIGRATIONS.length,
}

/** Takes the ledger at `path` to the next version. */
export async function upgrade(path: string, step: Step = NEXT): Promise<void> {
  const database = new DatabaseSync(path, { timeout: 5000 })
  try {
    await migrate(database, path, [...MIGRATIONS, step])
  } finally {
    database.close()
  }
}

/** Opens the ledger at `path` with this version, after the next one has used it. */
export async function open(path: string, options: LedgerOptions = {}): Promise<Ledger> {
  if (!existsSync(path)) {
    await using _ = await openLedger(path)
    await upgrade(path)
  }
  return await openLedger(path, options)
}
