// Which messages stand in a Maildir already, told by the names alone: for a ledger that was lost (DESIGN 4.3). One walk
// through new/ and cur/ for many messages. What was in flight in tmp/ does not count.
import type { Origin } from '../message.ts'
import type { Standing } from './destination.ts'
import type { FileSystem } from './disk/filesystem.ts'
import { receiptText } from './maildir/file.ts'
import type { Folders } from './maildir/folders.ts'
import { messageKey, ownName } from './maildir/name.ts'

/** In the order of `origins`; null: it does not stand there. Rejects with what the system said. */
export async function census(
  fileSystem: FileSystem,
  folders: Folders,
  origins: readonly Origin[],
): Promise<readonly (Standing | null)[]> {
  let keys: readonly string[] | null = null
  const wanted = new Map<string, Standing | null>()
  // In the order in which a file moves, so that one that moves meanwhile is met at least once.
  for (const folder of [folders.new, folders.cur]) {
    for await (const names of fileSystem.names(folder)) {
      for (const name of names) {
        const own = ownName(name)
        if (own === null) continue
        if (keys === null) {
          // Only now: most Maildirs hold nothing of ours, and a key is a hash.
          keys = origins.map(messageKey)
          for (const key of keys) wanted.set(key, null)
        }
        if (!wanted.has(own.key)) continue
        wanted.set(own.key, { intent: own.intent, fileBytes: own.fileBytes, text: receiptText(`${folder}/${name}`) })
      }
    }
  }
  return origins.map((_, at) => wanted.get(keys?.[at] ?? '') ?? null)
}
