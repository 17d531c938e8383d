// From SQLite's rows to values and back: the only place in this room with casts. Statements return arrays (a third cheaper
// than objects), in the order of the columns of their SELECT. Nothing here knows a table.
import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { DeliveryState, EntryKey, Harm, MessageState, PendingDeletion } from '../../entry.ts'
import { DELIVERY_STATES, MESSAGE_STATES } from '../../stored.ts'

export {
  DELIVERED,
  deliveryStateNumber,
  DONE,
  FAILED,
  HELD,
  OPEN,
  OPEN_REFUSED,
  PENDING,
  REFUSED,
  SEEN,
  STARTED,
  uidlBytes,
  UNKNOWN,
} from '../../stored.ts'

/** The file holds something that popfetch never writes there. */
export class Misread extends Error {}

export type Row = readonly SQLOutputValue[]

/** All rows of a statement. */
export function rowsOf(statement: StatementSync, ...values: SQLInputValue[]): readonly Row[] {
  statement.setReturnArrays(true)
  return statement.all(...values) as unknown as readonly Row[]
}

/** The first row of a statement, or null. */
export function rowOf(statement: StatementSync, ...values: SQLInputValue[]): Row | null {
  statement.setReturnArrays(true)
  return (statement.get(...values) as unknown as Row | undefined) ?? null
}

/** Where reading goes on behind `before`. The pages of a damaged file may lead back to rows that were read, for ever. */
export function onward(before: number, last: number): number {
  if (last <= before) throw new Misread('its pages lead back to rows that were read')
  return last
}

/** Ten thousand mailboxes with a hundred messages a day reach it after thirty years. */
const MOST_ROWS = 1e10

/** The number of the last row of a table that is read in steps. A damaged one would make them endless. */
export function lastRow(value: SQLOutputValue | undefined): number {
  const last = numberOrNull(value) ?? 0
  if (last > MOST_ROWS) throw new Misread(`its last row has the number ${last}`)
  return last
}

export function number(value: SQLOutputValue | undefined): number {
  if (typeof value !== 'number') throw new Misread(`the ledger holds ${typeof value} where a number belongs`)
  return value
}

export function numberOrNull(value: SQLOutputValue | undefined): number | null {
  return value === null ? null : number(value)
}

export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new Misread(`the ledger holds ${typeof value} where text belongs`)
  return value
}

export function textOrNull(value: SQLOutputValue | undefined): string | null {
  return value === null ? null : text(value)
}

export function bytes(value: SQLOutputValue | undefined): Buffer {
  if (!(value instanceof Uint8Array)) throw new Misread(`the ledger holds ${typeof value} where bytes belong`)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

export function bytesOrNull(value: SQLOutputValue | undefined): Buffer | null {
  return value === null ? null : bytes(value)
}

export function messageState(value: number): MessageState {
  const state = MESSAGE_STATES[value]
  if (state === undefined) throw new Misread(`the ledger holds message state ${value}`)
  return state
}

export function deliveryState(value: number): DeliveryState {
  const state = DELIVERY_STATES[value]
  if (state === undefined) throw new Misread(`the ledger holds delivery state ${value}`)
  return state
}

/** RFC 1939 section 7: one to 70 characters from 0x21 to 0x7e. Such a UIDL may travel as text; copies and anything else
 *  go as bytes. */
const ORDINARY = /^[\u0020-\u007e]{1,1024}$/

export function isOrdinary(key: EntryKey): boolean {
  return key.copy === 0 && ORDINARY.test(key.uidl)
}

/** Of the columns deletion_wanted_ms, deletion_tried, deletion_reason. */
export function pendingDeletion([wantedSinceMs, tried, reason]: Row): PendingDeletion | null {
  if (wantedSinceMs === null) return null
  return { wantedSinceMs: number(wantedSinceMs), tried: number(tried), reason: text(reason) }
}

export function harm(value: SQLOutputValue | undefined): Harm | null {
  return value === null ? null : (parsed(text(value)) as Harm)
}

export function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (thrown) {
    throw new Misread('the ledger holds broken JSON', { cause: thrown })
  }
}
