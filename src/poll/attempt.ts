// What names an attempt to deliver a message: an intent drawn at random, and the message's origin. By both a destination
// finds the attempt again after a crash (DESIGN 4.3).
import { randomBytes } from 'node:crypto'
import type { Account } from '../config/schema.ts'
import type { Origin } from '../message.ts'

const INTENT_DIGITS = 16

let randomDigits = ''

/** 16 random hexadecimal digits. Drawn for many at once: a call of its own for each cost a fiftieth of a poll. */
export function newIntent(): string {
  if (randomDigits === '') randomDigits = randomBytes(4096).toString('hex')
  const intent = randomDigits.slice(0, INTENT_DIGITS)
  randomDigits = randomDigits.slice(INTENT_DIGITS)
  return intent
}

/** A message by its key; `given`: what the server gave, where the key has a stand-in. */
interface Known {
  readonly uidl: string
  readonly given?: string
  readonly copy: number
}

/** Where a message of this account comes from. By what the server gave, so that a file has the same name whatever the ledger
 *  calls its message. */
export function originOf(account: Account, { uidl, given, copy }: Known): Origin {
  const { name, host, user, tls } = account
  return { account: name, host, user, uidl: given ?? uidl, copy, protocol: tls === 'none' ? 'POP3' : 'POP3S' }
}
