// A message as a destination of one's own gets it: every read gives bytes of its own, so whatever is done to them, nobody else sees it.
// Once the delivery has ended, the memory and the file of the message are others': nothing is read any more.
import { Readable } from 'node:stream'
import type { Message } from '../../message.ts'
import { BodyChanged, bodyChunks } from '../disk/body.ts'
import { offLoop } from '../disk/filesystem.ts'
import { lfToCrlf } from '../disk/line-endings.ts'

/** A complete message, exactly as the server sent it: CRLF line ends, nothing added. Readable until `deliver` has ended. */
export interface OwnMessage {
  readonly sizeBytes: number
  /** SHA-256 of all bytes, 64 hexadecimal digits. */
  readonly sha256: string
  /** As written in its header; null without one. Foreign text: escape it before you show it. */
  readonly messageId: string | null
  /** When it was received, in milliseconds since 1970. */
  readonly receivedMs: number
  /** The header, at most its first 64 KiB; a copy. */
  header(): Buffer
  /** All bytes, piece by piece: a message may be larger than memory. Rejects when its file was changed, and after `deliver`. */
  chunks(): AsyncIterable<Buffer>
  /** The same as a stream. */
  stream(): Readable
  /** The same in one piece. Mind `sizeBytes` first. */
  bytes(): Promise<Buffer>
}

/** `isOver`: has the delivery ended? */
export function ownMessage(message: Message, isOver: () => boolean): OwnMessage {
  const { sizeBytes, digest, messageId, receivedMs } = message
  const header = Buffer.from(message.header)
  const chunks = (): AsyncIterable<Buffer> => copies(message, isOver)
  return Object.freeze({
    sizeBytes,
    sha256: digest.toString('hex'),
    messageId,
    receivedMs,
    header: () => Buffer.from(header),
    chunks,
    stream: () => Readable.from(chunks(), { objectMode: false }),
    bytes: async () => Buffer.concat(await Array.fromAsync(chunks())),
  })
}

async function* copies(message: Message, isOver: () => boolean): AsyncGenerator<Buffer, void, void> {
  let bytes = 0
  if (isOver()) throw over()
  for await (const chunk of bodyChunks(message, offLoop)) {
    if (isOver()) throw over()
    const copy = copyOf(chunk, message)
    bytes += copy.length
    yield copy
  }
  if (isOver()) throw over()
  if (bytes !== message.sizeBytes) throw new BodyChanged(bytes, message.sizeBytes)
}

function copyOf(chunk: Buffer, { body }: Message): Buffer {
  if (body.kind === 'file' && body.form.lineEndings === 'lf') {
    const wide = Buffer.allocUnsafe(2 * chunk.length)
    return wide.subarray(0, lfToCrlf(chunk, wide))
  }
  // What comes from a file is nobody else's already.
  return body.kind === 'memory' ? Buffer.from(chunk) : chunk
}

function over(): Error {
  return new Error('the delivery of this message has ended: it cannot be read any more')
}
