// Statements of one database, each made at its first use: most polls need few of them.
import type { DatabaseSync, StatementSync } from 'node:sqlite'

export class Statements {
  readonly #database: DatabaseSync
  readonly #prepared = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  of(sql: string): StatementSync {
    const prepared = this.#prepared.get(sql)
    if (prepared !== undefined) return prepared
    const statement = this.#database.prepare(sql)
    this.#prepared.set(sql, statement)
    return statement
  }
}
