// What stands in a Maildir of messages that were delivered there, read again: for a migration, which believes its eyes only
// (S024). Found by the intent in their names, in whatever folder and with whatever flags a reader gave them since.
import type { Attempt, Recollection } from './destination.ts'
import type { FileSystem } from './disk/filesystem.ts'
import { receiptText } from './maildir/file.ts'
import type { Folders } from './maildir/folders.ts'
import { ownName } from './maildir/name.ts'
import { readBack } from './maildir/read-back.ts'

export interface Rereading {
  readonly fileSystem: FileSystem
  readonly folders: Folders
  readonly formOf: (attempt: Attempt) => { readonly lineEndings: 'crlf' | 'lf'; readonly prefix: Buffer }
  /** The same work with an end, though a file server hangs; `bytes`: how much there is to read. */
  readonly limited: <T>(work: Promise<T>, bytes: number) => Promise<T>
}

interface StandingFile {
  readonly path: string
  readonly fileBytes: number
}

/** Enough for a disk to put in order. */
const READ_AT_ONCE = 8

/** In the order of `attempts`; null: nothing stands there. */
export async function reread(
  attempts: readonly Attempt[],
  context: Rereading,
): Promise<readonly (Recollection | null)[]> {
  const found = await readThose(attempts, context)
  // A reader moves a file when it gives it flags, perhaps between our walk and our reading: then it is found the second time.
  const missed = attempts.filter((_, at) => (found[at] ?? null) === null || found[at]?.received === null)
  if (missed.length === 0) return found
  const again = new Map((await readThose(missed, context)).map((one, at) => [missed[at]?.intent, one]))
  return attempts.map(({ intent }, at) => again.get(intent) ?? found[at] ?? null)
}

async function readThose(
  attempts: readonly Attempt[],
  { fileSystem, folders, formOf, limited }: Rereading,
): Promise<readonly (Recollection | null)[]> {
  const intents = new Set(attempts.map(({ intent }) => intent))
  const files = await limited(standing(fileSystem, folders, intents), 0)
  const one = async (attempt: Attempt): Promise<Recollection | null> => {
    const file = files.get(attempt.intent)
    if (file === undefined) return null
    const received = await limited(readBack(fileSystem, file.path, formOf(attempt)), file.fileBytes)
    return { text: receiptText(file.path), received }
  }
  const found: (Recollection | null)[] = []
  for (let at = 0; at < attempts.length; at += READ_AT_ONCE) {
    found.push(...(await Promise.all(attempts.slice(at, at + READ_AT_ONCE).map(one))))
  }
  return found
}

async function standing(
  fileSystem: FileSystem,
  folders: Folders,
  intents: ReadonlySet<string>,
): Promise<ReadonlyMap<string, StandingFile>> {
  const found = new Map<string, StandingFile>()
  // In the order in which a file moves, so that one that moves meanwhile is met at least once.
  for (const folder of [folders.new, folders.cur]) {
    for await (const names of fileSystem.names(folder)) {
      for (const name of names) {
        const own = ownName(name)
        if (own === null || !intents.has(own.intent)) continue
        found.set(own.intent, { path: `${folder}/${name}`, fileBytes: own.fileBytes ?? 0 })
      }
    }
  }
  return found
}
