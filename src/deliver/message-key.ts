// The key that names a message at its destination (DESIGN 4.3): in the file name in a Maildir, above the message in an mbox. By
// it a ledger that was lost is rebuilt, and an older copy of it brought up to date.
import { hash } from 'node:crypto'
import type { Origin } from '../message.ts'

/** The bytes to be hashed are put together here; nearly always they fit. */
const scratch = Buffer.allocUnsafeSlow(1024)

/** 24 hexadecimal digits for a message of an account. The UIDL's bytes are hashed, never part of a path (P094). */
export function messageKey({ account, user, uidl, copy }: Origin): string {
  const before = `${account}\0${user}\0`
  const own = `${uidl}\0${copy}`
  const needed = before.length * 3 + own.length
  const bytes = needed <= scratch.length ? scratch : Buffer.allocUnsafe(needed)
  const start = bytes.write(before, 'utf8')
  const end = start + bytes.write(own, start, 'latin1')
  return hash('sha256', bytes.subarray(0, end), 'hex').slice(0, 24)
}
