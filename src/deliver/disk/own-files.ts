// Files that belong to popfetch alone: the directory they are kept in, and the removal of those that a killed popfetch left
// behind. One rule: a file is removed only if its name is one of ours, it is a regular file, and it is dead beyond doubt
// (D013); a file that cannot be examined or removed is left.
import fs from 'node:fs'
import { display } from '../../display.ts'
import { DeliveryError } from '../../errors.ts'
import type { FileSystem } from './filesystem.ts'

/** maildir(5): no delivery takes more than 24 hours; a file that nobody touched for 36 is dead. */
const DEAD_MS = 36 * 3_600_000

export async function sweep(
  fileSystem: FileSystem,
  directory: string,
  isOurs: (name: string) => boolean,
  nowMs: number,
): Promise<void> {
  try {
    for await (const names of fileSystem.names(directory)) {
      for (const name of names) if (isOurs(name)) await removeDead(fileSystem, `${directory}/${name}`, nowMs)
    }
  } catch {
    // Tidiness is no reason to fail: what is really wrong with the directory shows when it is used.
  }
}

async function removeDead(fileSystem: FileSystem, file: string, nowMs: number): Promise<void> {
  const stats = await fileSystem.lstat(file)
  // Not mtime alone: a Maildir file gets the date of the message's receipt while it still is in tmp/.
  const touchedMs = Math.max(stats.mtimeMs, stats.ctimeMs)
  if (stats.isFile() && nowMs - touchedMs > DEAD_MS) await fileSystem.unlink(file)
}

/** Makes it (0700) if need be. Throws DeliveryError when it is not ours alone, or what the system said. On this machine and
 *  seldom: the calls may stay on the loop. */
export function ownDirectory(directory: string): string {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  const stats = fs.lstatSync(directory)
  const uid = process.getuid?.() ?? stats.uid
  if (!stats.isDirectory() || (stats.mode & 0o022) !== 0 || stats.uid !== uid) {
    throw new DeliveryError(`${display(directory)} is not a directory that only popfetch writes to: remove it`, {
      verdict: 'temporary',
      scope: 'message',
      retry: 'later',
    })
  }
  return directory
}
