// The body of a message that has arrived: read again from memory or from its file, and a small one written in one call. A
// body that is still arriving is written by body-file.ts.
import { constants } from 'node:fs'
import type { Message } from '../../message.ts'
import { type Awaitable, type FileSystem, writeAll } from './filesystem.ts'
import { crlfToLf } from './line-endings.ts'

/** The file of a message does not have the bytes that were received: somebody changed it. */
export class BodyChanged extends Error {
  readonly fileBytes: number

  constructor(fileBytes: number, receivedBytes: number) {
    super(`its file has ${fileBytes} bytes instead of ${receivedBytes}`)
    this.fileBytes = fileBytes
  }
}

/** As fast as larger ones, and four messages of 25 MB at once cost SMTP 15 MB of memory. */
const CHUNK_BYTES = 64 * 1024

/** The body without the fields that a destination has put on top of its file, with the line ends of the file. If `memory`
 *  is given, each chunk lies in it and holds until the next one is asked for. Throws BodyChanged at the end (K3, a file of
 *  ours is believed only when it is whole), or what the system says. */
export async function* bodyChunks(
  { body, sizeBytes }: Message,
  fileSystem: FileSystem,
  memory: Buffer | null = null,
): AsyncGenerator<Buffer, void, void> {
  if (body.kind === 'memory') return yield body.bytes
  const fd = await fileSystem.open(body.path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    let bytes = 0
    for (;;) {
      const chunk = memory ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
      const length = await fileSystem.readAt(fd, chunk, body.form.prefixBytes + bytes)
      if (length === 0) break
      bytes += length
      yield chunk.subarray(0, length)
    }
    // Only a file with the line ends of the wire has as many bytes as were received.
    if (body.form.lineEndings === 'crlf' && bytes !== sizeBytes) throw new BodyChanged(bytes, sizeBytes)
  } finally {
    await fileSystem.close(fd)
  }
}

/** A small message as it is in a file: our fields on top, nothing else touched (D016, D017). */
export interface Pieces {
  /** With the line ends of the file. */
  readonly prefix: Buffer
  /** As received. */
  readonly body: Buffer
}

/** Holds most messages; null while a write that uses it is under way. */
let scratch: Buffer | null = Buffer.allocUnsafeSlow(64 << 10)

/** Writes it all and returns how many bytes that was. Where calls run on the event loop, it is done on return. */
export function writePieces(
  fileSystem: FileSystem,
  fd: number,
  { prefix, body }: Pieces,
  lineEndings: 'crlf' | 'lf',
): Awaitable<number> {
  if (lineEndings === 'crlf' && prefix.length === 0) return counted(writeAll(fileSystem, fd, body), body.length)
  const mostBytes = prefix.length + body.length
  const borrowed = scratch !== null && mostBytes <= scratch.length ? scratch : null
  const content = borrowed ?? Buffer.allocUnsafe(mostBytes)
  prefix.copy(content)
  const at = prefix.length
  const bytes = at + (lineEndings === 'crlf' ? body.copy(content, at) : crlfToLf(body, content, at))
  const writing = writeAll(fileSystem, fd, content.subarray(0, bytes))
  if (borrowed !== null && writing instanceof Promise) {
    scratch = null
    return writing.then(() => bytes).finally(() => (scratch = borrowed))
  }
  return counted(writing, bytes)
}

function counted(writing: Awaitable<void>, bytes: number): Awaitable<number> {
  return writing instanceof Promise ? writing.then(() => bytes) : bytes
}
