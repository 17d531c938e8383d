// Removes what a popfetch that was killed left behind. Only files of our own name pattern, only regular files, only when
// they are dead beyond doubt (D013); what cannot be looked at or removed is left.
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
