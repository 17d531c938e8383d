// How an entry of a listing is keyed: the bytes of its UIDL and the number of the copy. Pure.
import { createHash } from 'node:crypto'
import type { EntryKey } from './ledger.ts'

/** Longer ones are keyed by their SHA-256, so that a row stays small (P092). RFC 1939 allows 70. */
const UIDL_LIMIT_BYTES = 1024

/** RFC 1939 section 7: one to 70 characters from 0x21 to 0x7e. Such a UIDL may travel as text; copies and anything else
 *  go as bytes. */
const ORDINARY = /^[\u0020-\u007e]{1,1024}$/

export function isOrdinary(key: EntryKey): boolean {
  return key.copy === 0 && ORDINARY.test(key.uidl)
}

export function uidlBytes(uidl: string): Buffer {
  const bytes = Buffer.from(uidl, 'latin1')
  return bytes.byteLength > UIDL_LIMIT_BYTES ? createHash('sha256').update(bytes).digest() : bytes
}
