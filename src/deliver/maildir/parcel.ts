// The plan for one file of a Maildir: its name, bytes and date, made from a message and an attempt. Touches no disk.
import { receivedDateMs } from '../../header.ts'
import type { Message } from '../../message.ts'
import type { Attempt } from '../destination.ts'
import type { Pieces } from '../disk/body.ts'
import type { Right } from '../right.ts'
import { fileName } from './name.ts'

export interface Parcel {
  /** In tmp/. */
  readonly name: string
  /** A small message, or the path of a complete file that is in tmp/ already, in our form. The owner of that file removes
   *  it when it was not delivered. */
  readonly content: Pieces | { readonly file: string }
  /** The file's date; null: now. */
  readonly dateMs: number | null
  readonly right: Right | undefined
}

/** The settings that all files of one Maildir share. */
export interface ParcelRules {
  readonly host: string
  readonly date: 'received' | 'now'
  nowMs(): number
  /** With this Maildir's line ends. */
  prefix(attempt: Attempt): Buffer
}

const EARLIEST_MS = Date.UTC(1990, 0, 1)
const DAY_MS = 86_400_000

/** `standing`: the path of a large message that is in tmp/ already. Throws TypeError when a large message is not. */
export function parcelOf(rules: ParcelRules, attempt: Attempt, message: Message, standing: string | null): Parcel {
  const { body } = message
  const { right } = attempt
  const name = fileName(attempt, rules.host, rules.nowMs())
  if (standing !== null) return { name, content: { file: standing }, dateMs: dateMs(rules, message), right }
  if (body.kind !== 'memory') throw new TypeError('a large message is copied to tmp/ first')
  return { name, content: { prefix: rules.prefix(attempt), body: body.bytes }, dateMs: dateMs(rules, message), right }
}

function dateMs(rules: ParcelRules, { header }: Message): number | null {
  return rules.date === 'now' ? null : believable(rules, receivedDateMs(header))
}

/** The file's date, where its header says that it was received then. */
export function believable(rules: ParcelRules, receivedMs: number | null): number | null {
  if (rules.date === 'now') return null
  return receivedMs !== null && receivedMs >= EARLIEST_MS && receivedMs <= rules.nowMs() + DAY_MS ? receivedMs : null
}
