// The bytes of a message for APPEND, and its INTERNALDATE. A message is in memory as a whole: imapflow sends a Buffer.
import { receivedDateMs } from '../../header.ts'
import type { Message } from '../../message.ts'
import { bodyChunks, BodyChanged } from '../disk/body.ts'
import { offLoop } from '../disk/filesystem.ts'
import { lfToCrlf } from '../disk/line-endings.ts'

/** The fields on top, and the message as it was received. Throws BodyChanged, or what the system says. */
export async function contentOf(message: Message, prefix: Buffer): Promise<Buffer> {
  const { body, sizeBytes } = message
  if (body.kind === 'memory') return Buffer.concat([prefix, body.bytes])
  const parts: Buffer[] = []
  for await (const chunk of bodyChunks(message, offLoop)) {
    if (body.form.lineEndings === 'crlf') parts.push(chunk)
    else {
      const wide = Buffer.allocUnsafeSlow(2 * chunk.length)
      parts.push(wide.subarray(0, lfToCrlf(chunk, wide)))
    }
  }
  const whole = Buffer.concat([prefix, ...parts])
  if (whole.length !== prefix.length + sizeBytes) throw new BodyChanged(whole.length - prefix.length, sizeBytes)
  return whole
}

const EARLIEST_MS = Date.UTC(1990, 0, 1)
const DAY_MS = 86_400_000

/** When it was received, by its topmost Received field; null: that says nothing that can be believed, so the server takes the
 *  time of the APPEND (D113). */
export function dateOf(message: Message, nowMs: number): Date | null {
  const receivedMs = receivedDateMs(message.header)
  if (receivedMs === null || receivedMs < EARLIEST_MS || receivedMs > nowMs + DAY_MS) return null
  return new Date(receivedMs)
}
