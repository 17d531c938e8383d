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

/** Where a message of this account comes from. */
export function originOf(account: Account, entry: { readonly uidl: string; readonly copy: number }): Origin {
  const { name, host, user, tls } = account
  return { account: name, host, user, uidl: entry.uidl, copy: entry.copy, protocol: tls === 'none' ? 'POP3' : 'POP3S' }
}
