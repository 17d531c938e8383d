// Which deliveries of a damaged ledger are not believed. Their table has no index that says the same once more, so that a flipped
// bit gives one to another message, destination or recipient, and nothing but its neighbours tells. Three signs, and each is enough:
//   - It does not stand in order on its page: one of the two that are out of order has another key than it was written with.
//   - Two rows have one key, and different intents: one of them is of another delivery.
//   - Its destination or recipient is named nowhere else, and is one bit away from a name that is there: nobody else was meant.
// What is not believed is not done: the message goes there once more, if it goes there at all, and the account asks before (P1).
import type { DatabaseSync } from 'node:sqlite'
import { number, rowsOf, text } from '../rows/row.ts'
import type { Cell } from './cells.ts'
import { kindOf } from './rows.ts'

/** Of the cells of one page, as they stand: the deliveries that are out of order, with those beside them. */
export function outOfOrder(cells: readonly Cell[]): ReadonlySet<Cell> {
  const found = new Set<Cell>()
  let last: Cell | undefined
  for (const cell of cells) {
    if (kindOf(cell) !== 'delivery') continue
    if (last !== undefined && !isBefore(last, cell)) found.add(last).add(cell)
    last = cell
  }
  return found
}

function isBefore(one: Cell, other: Cell): boolean {
  for (const at of [0, 1, 2]) {
    const [a, b] = [one.values[at], other.values[at]]
    const order =
      typeof a === 'number' && typeof b === 'number'
        ? a - b
        : // As SQLite compares text: byte by byte.
          Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))
    if (order !== 0) return order < 0
  }
  return false
}

/** Longer names are of no ledger. */
const MOST_NAME_BYTES = 1000

/** Removes what two rows claim (`temp.split`), and what has a name that may be a misspelt one. Gives how many. */
export function judgeDeliveries(database: DatabaseSync): number {
  database.exec('CREATE TEMP TABLE misspelt (name TEXT PRIMARY KEY) WITHOUT ROWID')
  const note = database.prepare('INSERT OR IGNORE INTO temp.misspelt VALUES (?)')
  let removed = 0
  const remove = (condition: string): void => {
    removed += Number(database.prepare(`DELETE FROM delivery WHERE ${condition}`).run().changes)
  }
  remove('(message, destination, recipient) IN (SELECT * FROM temp.split)')
  for (const column of ['destination', 'recipient'] as const) {
    database.exec('DELETE FROM temp.misspelt')
    for (const name of misspelt(database, column)) note.run(name)
    remove(`${column} IN (SELECT name FROM temp.misspelt)`)
  }
  return removed
}

/** Names that one row alone has, and that are one bit away from another name. */
function misspelt(database: DatabaseSync, column: 'destination' | 'recipient'): readonly string[] {
  const rows = rowsOf(database.prepare(`SELECT ${column}, count(*) FROM delivery GROUP BY ${column}`))
  const counts = new Map(rows.map(([name, count]) => [text(name), number(count)]))
  return [...counts].filter(([name, count]) => count === 1 && hasNeighbour(name, counts)).map(([name]) => name)
}

function hasNeighbour(name: string, names: ReadonlyMap<string, number>): boolean {
  const bytes = Buffer.from(name)
  if (bytes.length > MOST_NAME_BYTES) return false
  for (const [at, byte] of bytes.entries()) {
    for (let bit = 1; bit < 256; bit *= 2) {
      bytes[at] = byte ^ bit
      // What is no text becomes U+FFFD, and no name has that.
      if (names.has(bytes.toString())) return true
    }
    bytes[at] = byte
  }
  return false
}
