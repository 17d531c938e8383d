// The bytes of a message for APPEND, and its INTERNALDATE. A message is in memory as a whole: imapflow sends a Buffer. Bytes
// that are in memory already are not copied here. The field on top, `X-Popfetch-Delivery: KEY INTENT`, says which message it is
// and which attempt put it there (DESIGN 3, `trace`). By it an interrupted attempt is found again.
import { field, receivedDateMs } from '../../header.ts'
import type { Message } from '../../message.ts'
import type { Attempt } from '../destination.ts'
import { bodyChunks, BodyChanged } from '../disk/body.ts'
import { offLoop } from '../disk/filesystem.ts'
import { lfToCrlf } from '../disk/line-endings.ts'
import { messageKey } from '../message-key.ts'

export const MARK = 'X-Popfetch-Delivery'

const INTENT = /^[0-9a-f]{16}$/
const VALUE = /^([0-9a-f]{24}) ([0-9a-f]{16})$/

export interface Mark {
  readonly key: string
  readonly intent: string
}

export function markField({ origin, intent }: Pick<Attempt, 'origin' | 'intent'>): string {
  if (!INTENT.test(intent)) throw new TypeError('an intent is 16 hexadecimal digits')
  return `${MARK}: ${messageKey(origin)} ${intent}\r\n`
}

/** What the first such field says; null: there is none of ours. */
export function markOf(header: Buffer): Mark | null {
  const [, key, intent] = VALUE.exec(field(header, MARK) ?? '') ?? []
  return key === undefined || intent === undefined ? null : { key, intent }
}

export interface Content {
  readonly parts: readonly Buffer[]
  readonly bytes: number
}

/** The fields on top, and the message as it was received. Throws BodyChanged, or what the system says. */
export async function contentOf(message: Message, prefix: Buffer): Promise<Content> {
  const { body, sizeBytes } = message
  if (body.kind === 'memory') return { parts: [prefix, body.bytes], bytes: prefix.length + body.bytes.length }
  const parts: Buffer[] = [prefix]
  for await (const chunk of bodyChunks(message, offLoop)) {
    if (body.form.lineEndings === 'crlf') parts.push(chunk)
    else {
      const wide = Buffer.allocUnsafeSlow(2 * chunk.length)
      parts.push(wide.subarray(0, lfToCrlf(chunk, wide)))
    }
  }
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  if (bytes !== prefix.length + sizeBytes) throw new BodyChanged(bytes - prefix.length, sizeBytes)
  return { parts, bytes }
}

const EARLIEST_MS = Date.UTC(1990, 0, 1)
const DAY_MS = 86_400_000

/** When it was received, by its topmost Received field. Null: that says nothing that can be believed, so the server takes the
 *  time of the APPEND (D113). */
export function dateOf(message: Message, nowMs: number): Date | null {
  const receivedMs = receivedDateMs(message.header)
  if (receivedMs === null || receivedMs < EARLIEST_MS || receivedMs > nowMs + DAY_MS) return null
  return new Date(receivedMs)
}
