// A complete message as a file for the standard input of a program: our fields on top, LF line ends as programs on Unix
// expect, not a byte else changed. One rule: the file has no name any more when the program sees it, so nothing of it is
// left behind, and it is complete whatever becomes of us (D091).
import { constants } from 'node:fs'
import path from 'node:path'
import type { Message } from '../../message.ts'
import { BodyFile, fill } from '../disk/body-file.ts'
import { offLoop } from '../disk/filesystem.ts'
import { crlfToLf } from '../disk/line-endings.ts'
import { ownDirectory } from '../disk/own-files.ts'
import type { Reserve } from '../disk/reserve.ts'
import { spoolName } from '../spool.ts'

export interface StdinOptions {
  /** Of popfetch's own, made when it is needed. */
  readonly directory: string
  /** With LF line ends. */
  readonly prefix: Buffer
  readonly reserve: Reserve
  readonly signal: AbortSignal
}

/** An open descriptor at the beginning of the file; the caller closes it. */
export async function stdinFile(message: Message, options: StdinOptions): Promise<number> {
  ownDirectory(options.directory)
  const { body } = message
  if (body.kind === 'memory') return await small(body.bytes, options)
  await using copy = new BodyFile({ ...options, name: spoolName(), mode: 0o600, lineEndings: 'lf' })
  await fill(copy, message, offLoop)
  return await offLoop.open(copy.path, constants.O_RDONLY | constants.O_NOFOLLOW)
}

async function small(bytes: Buffer, { directory, prefix, reserve }: StdinOptions): Promise<number> {
  const content = Buffer.allocUnsafe(prefix.length + bytes.length)
  prefix.copy(content)
  const length = prefix.length + crlfToLf(bytes, content.subarray(prefix.length))
  await reserve.take(offLoop, directory, length)
  const file = path.join(directory, spoolName())
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY } = constants
  const writing = await offLoop.open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    for (let written = 0; written < length;) written += await offLoop.write(writing, content, written, length - written)
    // Of its own: the one for writing stands at the end.
    return await offLoop.open(file, O_RDONLY | O_NOFOLLOW)
  } finally {
    await offLoop.close(writing)
    await offLoop.unlink(file)
  }
}
