// The key that names a message at its destination (DESIGN 4.3): in the file name in a Maildir, above the message in an mbox. By
// it a ledger that was lost is rebuilt, and an older copy of it brought up to date.
import { hash } from 'node:crypto'
import type { Origin } from '../message.ts'

const ASCII = /^[\0-\x7f]*$/

/** 24 hexadecimal digits for a message of an account. The UIDL's bytes are hashed, never part of a path (P094). */
export function messageKey({ account, user, uidl, copy }: Origin): string {
  const before = `${account}\0${user}\0`
  const own = `${uidl}\0${copy}`
  // Nearly always the bytes are those of a text, which is hashed without being written down first.
  const bytes = ASCII.test(uidl) ? before + own : Buffer.concat([Buffer.from(before), Buffer.from(own, 'latin1')])
  return hash('sha256', bytes, 'hex').slice(0, 24)
}
