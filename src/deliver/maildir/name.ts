// Names of Maildir files: `<seconds>.K<message>I<intent>.<host>,S=<size>` (DESIGN 4.3). K says which message it is, I which
// attempt put it there. So an interrupted delivery is found again, and other programs' files are told from ours.
import type { Attempt } from '../destination.ts'
import { messageKey } from '../message-key.ts'

/** Keeps the whole name below 200 bytes (D006): the fixed parts need 75 at most. */
const HOST_LIMIT = 120
const INTENT = /^[0-9a-f]{16}$/
const OWN = /^(\d{1,16})\.K([0-9a-f]{24})I([0-9a-f]{16})\./
const SIZE = /,S=(\d{1,15})(?=[:,]|$)/

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
  return OWN.exec(name)?.[3] ?? null
}

/** What would be the key in the name of a file of ours. Much quicker than `ownName`, which alone tells whether it is one. */
export function keyIn(name: string): string {
  const at = name.indexOf('.K') + 2
  return name.slice(at, at + 24)
}

export interface OwnName {
  /** `messageKey` of the message. */
  readonly key: string
  readonly intent: string
  /** null in tmp/, where the size may not be known yet. */
  readonly fileBytes: number | null
  /** When the delivery began, in whole seconds. */
  readonly atMs: number
}

/** What the name of a file of ours says; null: not ours. */
export function ownName(name: string): OwnName | null {
  const [, seconds, key, intent] = OWN.exec(name) ?? []
  if (key === undefined || intent === undefined) return null
  const size = SIZE.exec(name)?.[1]
  return { key, intent, fileBytes: size === undefined ? null : Number(size), atMs: Number(seconds) * 1000 }
}
