// What one file of a Maildir is to be: name, bytes and date, made of a message and an attempt. Touches no disk.
import { receivedDateMs } from '../../header.ts'
import type { Message } from '../../message.ts'
import type { Attempt } from '../destination.ts'
import { crlfToLf } from '../disk/line-endings.ts'
import { fileName } from './name.ts'

/** What goes into the file: the fields on top in the Maildir's form, the message as received. */
export interface Pieces {
  readonly prefix: Buffer
  readonly body: Buffer
}

export interface Parcel {
  /** In tmp/. */
  readonly name: string
  /** null: it stands complete in tmp/ already, in our form, at the path `standing`; its owner removes it when it was not
   *  delivered. */
  readonly pieces: Pieces | null
  readonly standing: string | null
  /** The file's date; null: now. */
  readonly dateMs: number | null
}

/** What the Maildir has to say about it. */
export interface ParcelRules {
  readonly host: string
  readonly date: 'received' | 'now'
  nowMs(): number
  /** With this Maildir's line ends. */
  prefix(attempt: Attempt): Buffer
}

const EARLIEST_MS = Date.UTC(1990, 0, 1)
const DAY_MS = 86_400_000

/** `standing`: where a large message stands already. Throws TypeError when there is a large one and it does not. */
export function parcelOf(rules: ParcelRules, attempt: Attempt, message: Message, standing: string | null): Parcel {
  const { body } = message
  if (body.kind !== 'memory' && standing === null) throw new TypeError('a large message is copied to tmp/ first')
  return {
    name: fileName(attempt, rules.host, rules.nowMs()),
    pieces: body.kind === 'memory' ? { prefix: rules.prefix(attempt), body: body.bytes } : null,
    standing,
    dateMs: dateMs(rules, message),
  }
}

/** As it will stand in the file: our fields on top, nothing else touched (D016, D017). In `scratch` where it fits: then it
 *  holds until the next call. */
export function contentOf({ prefix, body }: Pieces, lineEndings: 'crlf' | 'lf', scratch: Buffer | null): Buffer {
  if (lineEndings === 'crlf' && prefix.length === 0) return body
  const mostBytes = prefix.length + body.length
  const content = scratch !== null && mostBytes <= scratch.length ? scratch : Buffer.allocUnsafe(mostBytes)
  prefix.copy(content)
  const rest = content.subarray(prefix.length)
  const bodyBytes = lineEndings === 'crlf' ? body.copy(rest) : crlfToLf(body, rest)
  return content.subarray(0, prefix.length + bodyBytes)
}

function dateMs(rules: ParcelRules, { header }: Message): number | null {
  if (rules.date === 'now') return null
  const receivedMs = receivedDateMs(header)
  return receivedMs !== null && receivedMs >= EARLIEST_MS && receivedMs <= rules.nowMs() + DAY_MS ? receivedMs : null
}
