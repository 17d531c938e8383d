// Which table of a ledger a row belongs to that was found in a damaged file. Its values tell, for the tree that would say so may be
// damaged, or lead elsewhere. What fits no table is none of ours, or of an index that nothing is learnt from.
import type { Cell, Value } from './cells.ts'

/** Tables whose rows are kept. */
export type Table = 'account' | 'message' | 'delivery' | 'destination' | 'day' | 'memo' | 'pause'

/** `name`, `key`: of the indexes that say the same once more: an account's name, a message's account and UIDL. */
export type Kind = Table | 'name' | 'key' | 'schema'

type Shape = string

/** A letter for each value: n number, t text, b bytes, 0 null. `.`: whatever. What follows may be anything. */
const SHAPES: readonly (readonly [kind: Kind, isTable: boolean, shape: Shape, least: number, most: number])[] = [
  ['account', true, '0ttntnn', 17, 60],
  ['message', true, '0nbnnnn', 19, 60],
  ['schema', true, 'tttnt', 5, 5],
  ['schema', true, 'tttn0', 5, 5],
  ['delivery', false, 'nttntnnn', 11, 60],
  ['key', false, 'nbnn', 4, 4],
  ['day', false, 'nnnnnn', 6, 6],
  ['destination', false, 'ttt', 3, 3],
  ['pause', false, 'tttnn', 5, 5],
  ['pause', false, 'tttn0', 5, 5],
  ['memo', false, 'tt', 2, 2],
  ['name', false, 'tn', 2, 2],
]

/** Null: of none of them. */
export function kindOf({ rowid, values }: Cell): Kind | null {
  const shape = values.map(letter).join('')
  const found = SHAPES.find(
    ([, isTable, begins, least, most]) =>
      isTable === (rowid !== null) && values.length >= least && values.length <= most && shape.startsWith(begins),
  )
  return found?.[0] ?? null
}

/** Of a broken row: does it begin as a message does, up to its key and what follows that? */
export function isMessageKey({ rowid, values }: Cell): boolean {
  return rowid !== null && values.map(letter).join('').startsWith('0nbnn')
}

function letter(value: Value): string {
  if (value === null) return '0'
  return typeof value === 'number' ? 'n' : typeof value === 'string' ? 't' : 'b'
}
