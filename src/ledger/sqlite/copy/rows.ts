// The rows of a ledger's file as they are copied into another kind, and back.
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import {
  COLUMNS,
  type CopiedRow,
  type CopiedTable,
  type CopiedValue,
  type CopiedValues,
  factsText,
  isCopied,
} from '../../copy/copied.ts'
import { bytes, lastRow, number, onward, parsed, rowOf, rowsOf, text, type Row } from '../rows/row.ts'

/** Rows in a slice. */
const SLICE = 1000

const names = (table: keyof typeof COLUMNS): readonly string[] => COLUMNS[table].map(({ name }) => name)

/** What differs from the names of COLUMNS. */
const READ: Readonly<Record<string, string>> = {
  harm_command: "m.harm ->> 'command'",
  harm_times: "m.harm ->> 'times'",
  harm_last_ms: "m.harm ->> 'lastMs'",
}

const ACCOUNTS = `SELECT id, ${names('account').join(', ')} FROM account ORDER BY name`
const DAYS = `SELECT account, ${names('day').join(', ')} FROM day ORDER BY account, day`
const MESSAGES = `SELECT m.id, m.account, ${names('message')
  .map((name) => READ[name] ?? `m.${name}`)
  .join(', ')} FROM message m WHERE m.id > ? ORDER BY m.id LIMIT ${SLICE}`
const DELIVERIES = `SELECT message, ${names('delivery').join(', ')} FROM delivery WHERE message > ? AND message <= ?
  ORDER BY message, destination, recipient`
const SHARED = ['destination', 'memo', 'pause'] as const

/** All that is copied, in slices. A change meanwhile must be kept out by the caller. */
export function* copiedRows(database: DatabaseSync): Generator<readonly CopiedRow[], void, void> {
  const accounts = new Map<number, string>()
  yield rowsOf(database.prepare(ACCOUNTS)).map((row) => {
    const values = valuesOf('account', row.slice(1))
    accounts.set(number(row[0]), text(row[1]))
    const facts = parsed(String(values.at(-1))) as Readonly<Record<string, string>>
    return {
      table: 'account',
      account: text(row[1]),
      values: [...values.slice(0, -1), factsText(facts)],
      deliveries: [],
    }
  })
  const nameOf = (id: SQLOutputValue | undefined): string | null => accounts.get(number(id)) ?? null
  yield rowsOf(database.prepare(DAYS)).flatMap((row) => rowIn('day', nameOf(row[0]), row.slice(1)))
  const messages = database.prepare(MESSAGES)
  const deliveries = database.prepare(DELIVERIES)
  const end = lastRow(rowOf(database.prepare('SELECT max(id) FROM message'))?.[0])
  for (let last = 0; last < end;) {
    const rows = rowsOf(messages, last)
    const until = onward(last, number(rows.at(-1)?.[0]))
    const of = Map.groupBy(rowsOf(deliveries, last, until), (row) => number(row[0]))
    yield rows.flatMap((row) => {
      const own = (of.get(number(row[0])) ?? []).map((delivery) => valuesOf('delivery', delivery.slice(1)))
      return rowIn('message', nameOf(row[1]), row.slice(2), own)
    })
    last = until
  }
  for (const table of SHARED) {
    const sql = `SELECT ${names(table).join(', ')} FROM ${table} ORDER BY 1, 2`
    yield rowsOf(database.prepare(sql))
      .flatMap((row) => rowIn(table, '', row))
      .filter(isCopied)
  }
}

/** Rows of an account that is gone are nobody's. */
function rowIn(
  table: CopiedTable,
  account: string | null,
  row: Row,
  deliveries: readonly CopiedValues[] = [],
): readonly CopiedRow[] {
  return account === null ? [] : [{ table, account, values: valuesOf(table, row), deliveries }]
}

function valuesOf(table: keyof typeof COLUMNS, row: Row): CopiedValues {
  return COLUMNS[table].map(({ kind }, at): CopiedValue => {
    const value = row[at]
    if (value === null || value === undefined) return null
    if (kind === 'b') return bytes(value)
    return kind === 't' || kind === 'w' ? text(value) : number(value)
  })
}

/** Puts rows into tables that are empty. Within a transaction. */
export class CopiedInto {
  readonly #database: DatabaseSync
  readonly #accounts = new Map<string, { readonly id: number; known: number }>()
  readonly #statements = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  put({ table, account, values, deliveries }: CopiedRow): void {
    switch (table) {
      case 'account':
        this.#accounts.set(account, { id: this.#insert('account', [], values), known: 0 })
        return
      case 'day':
        this.#insert('day', [this.#owner(account).id], values)
        return
      case 'message': {
        const owner = this.#owner(account)
        owner.known++
        const [command = null, times = null, lastMs = null] = values.slice(HARM_AT)
        const harm = command === null ? null : JSON.stringify({ command, times, lastMs })
        const id = this.#insert('message', [owner.id], [...values.slice(0, HARM_AT), harm])
        for (const delivery of deliveries) this.#insert('delivery', [id], delivery)
        return
      }
      case 'destination':
      case 'memo':
      case 'pause':
        this.#insert(table, [], values)
    }
  }

  end(): void {
    const known = this.#database.prepare('UPDATE account SET known = ? WHERE id = ?')
    for (const owner of this.#accounts.values()) known.run(owner.known, owner.id)
  }

  #owner(account: string): { readonly id: number; known: number } {
    const owner = this.#accounts.get(account)
    if (owner === undefined) throw new Error(`a row of ${account}, of which nothing is known`)
    return owner
  }

  #insert(table: keyof typeof COLUMNS, before: readonly number[], values: CopiedValues): number {
    const statement = this.#statements.get(table) ?? this.#database.prepare(insertion(table))
    this.#statements.set(table, statement)
    return Number(statement.run(...before, ...(values as readonly SQLInputValue[])).lastInsertRowid)
  }
}

/** The columns of a message from here on are one in a file. */
const HARM_AT = names('message').indexOf('harm_command')

const OWNER: Readonly<Record<string, string>> = { day: 'account', message: 'account', delivery: 'message' }

function insertion(table: keyof typeof COLUMNS): string {
  const own = table === 'message' ? [...names(table).slice(0, HARM_AT), 'harm'] : names(table)
  const owner = OWNER[table]
  const all = owner === undefined ? own : [owner, ...own]
  return `INSERT INTO ${table} (${all.join(', ')}) VALUES (${all.map(() => '?').join(', ')})`
}
