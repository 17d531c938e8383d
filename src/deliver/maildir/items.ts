// All files of ours in a Maildir, and in the folders beside it, by their names. For whoever compares them with the ledger. Changes
// nothing, and opens no message.
import path from 'node:path'
import { type Item, receiptOf } from '../destination.ts'
import { type FileSystem, lstatOrNull } from '../disk/filesystem.ts'
import { pathOf } from './find.ts'
import { type Folders, foldersOf } from './folders.ts'
import { ownName } from './name.ts'

/** Maildirs beside one, or below it. */
const MOST_BESIDE = 1000

/** In slices. Throws what the system says. */
export async function* items(
  fileSystem: FileSystem,
  folders: Folders,
  where: 'here' | 'elsewhere',
): AsyncGenerator<readonly Item[], void, void> {
  const wanted = where === 'here' ? [folders] : await beside(fileSystem, folders)
  for (const { new: fresh, cur } of wanted)
    for (const folder of [fresh, cur])
      for await (const names of fileSystem.names(folder)) {
        yield names.flatMap((name) => {
          const own = ownName(name)
          if (own === null) return []
          const { key, intent } = own
          return [{ key, intent, ...receiptOf(pathOf({ ...own, folder, name })) }]
        })
      }
}

/** The folders of the same mailbox: those in it (`.Archive` of Maildir++, or plain ones), and those in the folder that it is in. */
async function beside(fileSystem: FileSystem, { tmp }: Folders): Promise<readonly Folders[]> {
  const root = path.dirname(tmp)
  const found: Folders[] = []
  const add = async (directory: string): Promise<void> => {
    const { new: fresh, cur } = foldersOf(directory)
    if (directory === root || found.length >= MOST_BESIDE) return
    const kinds = await Promise.all(
      [directory, fresh, cur].map((each) => lstatOrNull(fileSystem, each).catch(() => null)),
    )
    if (kinds.every((stats) => stats?.isDirectory() === true)) found.push(foldersOf(directory))
  }
  const above = path.dirname(root)
  await add(above)
  for (const directory of [root, above])
    for await (const names of fileSystem.names(directory))
      for (const name of names) if (!OWN.has(name)) await add(path.join(directory, name))
  return found
}

const OWN: ReadonlySet<string> = new Set(['tmp', 'new', 'cur'])
