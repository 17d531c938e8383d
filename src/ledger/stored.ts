// How every kind of ledger keeps states and UIDLs: the same numbers and the same bytes, so that one can be copied into another.
import { createHash } from 'node:crypto'
import type { DeliveryState, MessageState } from './entry.ts'

// The numbers are on people's disks: never renumber, only add.
export const OPEN = 0
export const DELIVERED = 1
export const SEEN = 2
export const HELD = 3
/** An open message with a refused delivery. */
export const OPEN_REFUSED = 4
export const MESSAGE_STATES: readonly MessageState[] = ['open', 'delivered', 'seen', 'held', 'open']

export const DELIVERY_STATES: readonly DeliveryState[] = ['pending', 'started', 'done', 'refused', 'unknown', 'failed']
export const PENDING = 0
export const STARTED = 1
export const DONE = 2
export const REFUSED = 3
export const UNKNOWN = 4
export const FAILED = 5

export function deliveryStateNumber(state: DeliveryState): number {
  return DELIVERY_STATES.indexOf(state)
}

/** A longer UIDL is kept as its SHA-256, so that a row stays small (P092, very long UIDLs). RFC 1939 allows 70 bytes. */
const UIDL_LIMIT_BYTES = 1024

export function uidlBytes(uidl: string): Buffer {
  const bytes = Buffer.from(uidl, 'latin1')
  return bytes.byteLength > UIDL_LIMIT_BYTES ? createHash('sha256').update(bytes).digest() : bytes
}
