// Names of Maildir files: `<seconds>.K<message>I<intent>.<host>,S=<size>` (DESIGN 4.3). K says which message it is, I which
// attempt put it there. So an interrupted delivery is found again, and other programs' files are told from ours.
import { hash } from 'node:crypto'
import type { Origin } from '../../message.ts'
import type { Attempt } from '../destination.ts'

/** Keeps the whole name below 200 bytes (D006): the fixed parts need 75 at most. */
const HOST_LIMIT = 120
const INTENT = /^[0-9a-f]{16}$/
const OWN = /^\d{1,16}\.K([0-9a-f]{24})I([0-9a-f]{16})\./
const SIZE = /,S=(\d{1,15})(?=[:,]|$)/

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

/** `host` as part of a file name. Characters other than letters, digits, dot, hyphen and underscore are written as `\ooo`,
 *  as maildir(5) does for `/` and `:`; `,` and `=` too, since readers look for `,S=`. */
export function hostPart(host: string): string {
  let part = ''
  for (const byte of Buffer.from(host, 'utf8')) {
    const character = String.fromCharCode(byte)
    const next = /[\w.-]/.test(character) ? character : `\\${byte.toString(8).padStart(3, '0')}`
    if (part.length + next.length > HOST_LIMIT) break
    part += next
  }
  return part === '' ? 'localhost' : part
}

/** The name in tmp/, where the size may not be known yet. */
export function fileName(attempt: Attempt, host: string, nowMs: number): string {
  // The only part of a path that comes from outside.
  if (!INTENT.test(attempt.intent)) throw new TypeError('an intent is 16 hexadecimal digits')
  return `${Math.floor(nowMs / 1000)}.K${messageKey(attempt.origin)}I${attempt.intent}.${host}`
}

/** The name in new/. `S=` is the size of the file, which Dovecot takes from the name. */
export function sizedName(name: string, fileBytes: number): string {
  return `${name},S=${fileBytes}`
}

/** The intent in the name of a file of ours, with or without flags; null: not ours. */
export function intentOf(name: string): string | null {
  return OWN.exec(name)?.[2] ?? null
}

export interface OwnName {
  /** `messageKey` of the message. */
  readonly key: string
  readonly intent: string
  /** null in tmp/, where the size may not be known yet. */
  readonly fileBytes: number | null
}

/** What the name of a file of ours says; null: not ours. */
export function ownName(name: string): OwnName | null {
  const [, key, intent] = OWN.exec(name) ?? []
  if (key === undefined || intent === undefined) return null
  const size = SIZE.exec(name)?.[1]
  return { key, intent, fileBytes: size === undefined ? null : Number(size) }
}
