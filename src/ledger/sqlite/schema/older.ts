// A ledger that an older popfetch has written, to be read as it is: `status` and `state` look into it before the first poll of this
// version, and beside a daemon of the older one. The file is opened to be read alone. What its tables lack is put before it in
// SQLite's temporary schema, which ends with the connection: a view with each missing column at its default, an empty table for
// each missing one. Nothing is converted, so what a step would have worked out from old columns has its default here.
import { DatabaseSync } from 'node:sqlite'
import { rowsOf, text, textOrNull } from '../rows/row.ts'
import { MIGRATIONS } from './migrations.ts'

/** A connection on which every statement of the ledger can be made. `fillIn` is called before the first. */
export class OlderFile extends DatabaseSync {
  override prepare(sql: string): ReturnType<DatabaseSync['prepare']> {
    // What would write is never run on a ledger that is only read (access.ts), and a view cannot be written.
    if (!/^\s*(SELECT|PRAGMA)\b/i.test(sql)) return super.prepare('SELECT 1 WHERE 0')
    // A view has no indexes; those of the table behind it are found without being named.
    return super.prepare(sql.replaceAll(/ INDEXED BY \w+/g, ''))
  }
}

/** Puts before the tables of the file what they lack. */
export function fillIn(database: DatabaseSync): void {
  const wanted = new DatabaseSync(':memory:')
  try {
    for (const { sql } of MIGRATIONS) wanted.exec(sql)
    const present = new Set(tablesOf(database))
    for (const table of tablesOf(wanted)) {
      const columns = columnsOf(wanted, table)
      const names = present.has(table) ? new Set(columnsOf(database, table).map(({ name }) => name)) : new Set<string>()
      const missing = columns.filter(({ name }) => !names.has(name))
      if (missing.length === 0) continue
      const shown = missing.map(({ name, byDefault }) => `${byDefault ?? 'NULL'} AS ${name}`).join(', ')
      const from = present.has(table) ? `, old.* FROM main.${table} old` : ' WHERE 0'
      database.exec(`CREATE TEMP VIEW ${table} AS SELECT ${shown}${from}`)
    }
  } finally {
    wanted.close()
  }
}

function tablesOf(database: DatabaseSync): readonly string[] {
  return rowsOf(database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")).map((row) => text(row[0]))
}

function columnsOf(
  database: DatabaseSync,
  table: string,
): readonly { readonly name: string; readonly byDefault: string | null }[] {
  const rows = rowsOf(database.prepare(`SELECT name, dflt_value FROM pragma_table_info('${table}')`))
  return rows.map((row) => ({ name: text(row[0]), byDefault: textOrNull(row[1]) }))
}
