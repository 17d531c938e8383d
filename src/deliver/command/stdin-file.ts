// A complete message as a file for the standard input of a program. It has our fields on top and LF line ends, as programs on
// Unix expect. No other byte is changed. One rule: the file has lost its name when the program sees it. So nothing of it is
// left behind, and it is complete even if popfetch dies (D091).
import { constants } from 'node:fs'
import type { Message } from '../../message.ts'
import { BodyFile, fill } from '../disk/body-file.ts'
import { offLoop } from '../disk/filesystem.ts'
import { ownDirectory } from '../disk/own-files.ts'
import type { Reserve } from '../disk/reserve.ts'
import { spoolName } from '../disk/spool-files.ts'

export interface StdinOptions {
  /** A directory of popfetch's own, made when it is needed. */
  readonly directory: string
  /** With LF line ends. */
  readonly prefix: Buffer
  readonly reserve: Reserve
  readonly signal: AbortSignal
}

/** An open descriptor at the beginning of the file; the caller closes it. */
export async function stdinFile(message: Message, options: StdinOptions): Promise<number> {
  ownDirectory(options.directory)
  await using copy = new BodyFile({ ...options, name: spoolName(), mode: 0o600, lineEndings: 'lf' })
  await fill(copy, message, offLoop)
  return await offLoop.open(copy.path, constants.O_RDONLY | constants.O_NOFOLLOW)
}
