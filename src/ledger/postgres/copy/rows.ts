// The rows of a ledger in PostgreSQL as they are copied into another kind, and back.
import {
  COLUMNS,
  type CopiedRow,
  type CopiedTable,
  type CopiedValue,
  type CopiedValues,
  factsText,
  isCopied,
} from '../../copy/copied.ts'
import type { Row, Value } from '../connection/connection.ts'
import { bytes, isTrue, number, text, word } from '../rows/cells.ts'

/** Rows in a slice, and in a statement. */
const SLICE = 1000

/** A statement, in which `@.` stands for the schema. */
export type Ask = (sql: string, values?: readonly Value[]) => Promise<readonly Row[]>

type Table = keyof typeof COLUMNS

/** What differs from the names of COLUMNS. */
const OTHERWISE: Readonly<Record<string, string>> = { 'account user': 'username', 'memo text': 'memo' }

/** `facts` of an account is a table. */
const columnsOf = (table: Table): readonly string[] =>
  COLUMNS[table].flatMap(({ name }) =>
    table === 'account' && name === 'facts' ? [] : [OTHERWISE[`${table} ${name}`] ?? name],
  )

const FACTS = `SELECT account, name, value FROM @.fact ORDER BY account, name`
const ACCOUNTS = `SELECT id, ${columnsOf('account').join(', ')} FROM @.account ORDER BY name`
const DAYS = `SELECT account, ${columnsOf('day').join(', ')} FROM @.day ORDER BY account, day`
const MESSAGES = `SELECT account, row, ${columnsOf('message').join(', ')} FROM @.message
  WHERE (account, row) > ($1, $2) ORDER BY account, row LIMIT ${SLICE}`
const DELIVERIES = `SELECT account, row, ${columnsOf('delivery').join(', ')} FROM @.delivery
  WHERE (account, row) > ($1, $2) AND (account, row) <= ($3, $4) ORDER BY account, row, destination, recipient`
const SHARED = ['destination', 'memo', 'pause'] as const

/** All that is copied, in slices. A change meanwhile must be kept out by the caller. */
export async function* copiedRows(ask: Ask): AsyncGenerator<readonly CopiedRow[], void, void> {
  const names = new Map<number, string>()
  const facts = Map.groupBy(await ask(FACTS), (row) => number(row[0]))
  yield (await ask(ACCOUNTS)).map((row) => {
    const own = facts.get(number(row[0])) ?? []
    names.set(number(row[0]), text(row[1]))
    const known = factsText(Object.fromEntries(own.map((fact) => [text(fact[1]), text(fact[2])])))
    const values = [...valuesOf('account', row.slice(1)).slice(0, -1), known]
    return { table: 'account', account: text(row[1]), values, deliveries: [] }
  })
  const rowIn = (
    table: CopiedTable,
    owner: Row[number] | undefined,
    cells: Row,
    deliveries: readonly CopiedValues[] = [],
  ) => {
    const account = names.get(number(owner)) ?? null
    return account === null ? [] : [{ table, account, values: valuesOf(table, cells), deliveries }]
  }
  yield (await ask(DAYS)).flatMap((row) => rowIn('day', row[0], row.slice(1)))
  for (let last: readonly [number, number] = [0, 0]; ;) {
    const rows = await ask(MESSAGES, last)
    const [end] = rows.slice(-1)
    if (end === undefined) break
    const until = [number(end[0]), number(end[1])] as const
    const of = Map.groupBy(await ask(DELIVERIES, [...last, ...until]), placeOf)
    yield rows.flatMap((row) =>
      rowIn(
        'message',
        row[0],
        row.slice(2),
        (of.get(placeOf(row)) ?? []).map((delivery) => valuesOf('delivery', delivery.slice(2))),
      ),
    )
    last = until
  }
  for (const table of SHARED) {
    const rows = await ask(`SELECT ${columnsOf(table).join(', ')} FROM @.${table} ORDER BY 1, 2`)
    yield rows.map((row) => ({ table, account: '', values: valuesOf(table, row), deliveries: [] })).filter(isCopied)
  }
}

function placeOf(row: Row): string {
  return `${String(row[0])} ${String(row[1])}`
}

function valuesOf(table: Table, row: Row): CopiedValues {
  return COLUMNS[table].map(({ kind }, at): CopiedValue => {
    const cell = row[at]
    if (cell === null || cell === undefined) return null
    switch (kind) {
      case 'b':
        return bytes(cell)
      case 't':
        return text(cell)
      case 'w':
        return word(cell)
      case 'f':
        return isTrue(cell) ? 1 : 0
      case 'n':
        return number(cell)
    }
  })
}

/** What an account's row has besides, once all of its messages are there. */
interface Owner {
  readonly id: number
  rows: number
}

/** Puts rows into tables that are empty. Within a transaction. */
export class CopiedInto {
  readonly #ask: Ask
  readonly #owners = new Map<string, Owner>()

  constructor(ask: Ask) {
    this.#ask = ask
  }

  async put(slice: readonly CopiedRow[]): Promise<void> {
    for (const [table, rows] of Map.groupBy(slice, (row) => row.table)) {
      for (let at = 0; at < rows.length; at += SLICE) await this.#putAll(table, rows.slice(at, at + SLICE))
    }
  }

  async #putAll(table: CopiedTable, rows: readonly CopiedRow[]): Promise<void> {
    if (table === 'account') return await this.#putAccounts(rows)
    if (table !== 'message') {
      const before = table === 'day' ? ['account'] : []
      const items = rows.map(({ account, values }) => [
        ...(table === 'day' ? [this.#owner(account).id] : []),
        ...values,
      ])
      return await this.#insert(table, before, items)
    }
    const deliveries: CopiedValues[] = []
    const messages = rows.map((row) => {
      const owner = this.#owner(row.account)
      owner.rows++
      for (const delivery of row.deliveries) deliveries.push([owner.id, owner.rows, ...delivery])
      return [owner.id, owner.rows, ...row.values]
    })
    await this.#insert('message', ['account', 'row'], messages)
    for (let at = 0; at < deliveries.length; at += SLICE)
      await this.#insert('delivery', ['account', 'row'], deliveries.slice(at, at + SLICE))
  }

  async #putAccounts(rows: readonly CopiedRow[]): Promise<void> {
    await this.#insert(
      'account',
      [],
      rows.map(({ values }) => values.slice(0, -1)),
    )
    for (const row of await this.#ask('SELECT id, name FROM @.account'))
      this.#owners.set(text(row[1]), { id: number(row[0]), rows: 0 })
    const facts = rows.flatMap(({ account, values }) => {
      const known = JSON.parse(String(values.at(-1))) as Readonly<Record<string, string>>
      return Object.entries(known).map(([name, value]) => [this.#owner(account).id, base64(name), base64(value)])
    })
    const sql = `INSERT INTO @.fact (account, name, value)
      SELECT (v->>0)::bigint, decode(v->>1, 'base64'), decode(v->>2, 'base64') FROM jsonb_array_elements($1::jsonb) v`
    await this.#ask(sql, [JSON.stringify(facts)])
  }

  async end(): Promise<void> {
    const counts = [...this.#owners.values()].map(({ id, rows }) => [id, rows])
    const sql = `UPDATE @.account a SET known = (v->>1)::integer, last_row = (v->>1)::integer
      FROM jsonb_array_elements($1::jsonb) v WHERE a.id = (v->>0)::integer`
    for (let at = 0; at < counts.length; at += SLICE)
      await this.#ask(sql, [JSON.stringify(counts.slice(at, at + SLICE))])
  }

  #owner(account: string): Owner {
    const owner = this.#owners.get(account)
    if (owner === undefined) throw new Error(`a row of ${account}, of which nothing is known`)
    return owner
  }

  /** `before`: numbers that come before the columns of the table. */
  async #insert(table: Table, before: readonly string[], items: readonly CopiedValues[]): Promise<void> {
    const kinds = COLUMNS[table].map(({ kind }) => kind)
    const cells = [...before.map(() => 'n' as const), ...kinds].slice(0, items[0]?.length ?? 0).map((kind, at) => {
      if (kind === 'n') return `(v->>${at})::bigint`
      if (kind === 'f') return `(v->>${at}) = '1'`
      return kind === 'w' ? `v->>${at}` : `decode(v->>${at}, 'base64')`
    })
    if (items.length === 0) return
    const carried = items.map((values) =>
      values.map((value, at) => {
        const kind = kinds[at - before.length]
        return (kind === 't' || kind === 'b') && at >= before.length ? base64(value) : value
      }),
    )
    const sql = `INSERT INTO @.${table} (${[...before, ...columnsOf(table)].join(', ')})
      SELECT ${cells.join(', ')} FROM jsonb_array_elements($1::jsonb) v`
    await this.#ask(sql, [JSON.stringify(carried)])
  }
}

function base64(value: CopiedValue): string | null {
  if (value === null) return null
  return (Buffer.isBuffer(value) ? value : Buffer.from(String(value))).toString('base64')
}
