// Where a program's output goes: a file without a name, which a script can open once more as /dev/stderr (D130).
import { constants } from 'node:fs'
import path from 'node:path'
import { offLoop } from '../disk/filesystem.ts'
import { ownDirectory } from '../disk/own-files.ts'
import { spoolName } from '../disk/spool-files.ts'

const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants

/** A descriptor for reading and appending; the caller closes it. `directory` is popfetch's own, made when it is needed. */
export async function outputFile(directory: string): Promise<number> {
  const file = path.join(ownDirectory(directory), spoolName())
  const fd = await offLoop.open(file, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  await offLoop.unlink(file)
  return fd
}
