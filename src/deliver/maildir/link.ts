// The step that makes a file visible: a second name in new/, then the first one away (D005). Deals with servers that do it
// and say that they did not (D011), and with file systems that know no links.
import { errnoOf } from '../../errors.ts'
import { after, type Awaitable, trying } from '../awaitable.ts'
import type { FileSystem } from '../disk/filesystem.ts'

/** FAT, some FUSE and SMB file systems have no links. */
const NO_LINKS: ReadonlySet<string | null> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** Looks like what link(2) says. */
class NameTaken extends Error {
  readonly code = 'EEXIST'
}

/** On return the file is at `target`; that it is no longer at `tmp` too is likely. Rejects with what the system said;
 *  then `look` tells whether something is at `target`. Never replaces a file. */
export function publish(fileSystem: FileSystem, tmp: string, target: string): Awaitable<void> {
  const linking = trying(
    () => after(fileSystem.link(tmp, target), () => true),
    (error) => isLinked(fileSystem, tmp, target, error),
  )
  return after(linking, (linked) => (linked ? forget(fileSystem, tmp) : undefined))
}

/** Link(2) failed. True: it is there all the same; false: it was renamed instead. Rejects with `error`. */
async function isLinked(fileSystem: FileSystem, tmp: string, target: string, error: unknown): Promise<boolean> {
  if (await isSame(fileSystem, tmp, target)) return true
  if (!NO_LINKS.has(errnoOf(error))) throw error
  await rename(fileSystem, tmp, target)
  return false
}

/** A failure changes nothing: it is delivered, and the second name is swept one day. */
function forget(fileSystem: FileSystem, tmp: string): Awaitable<void> {
  return trying(
    () => fileSystem.unlink(tmp),
    () => undefined,
  )
}

/** Which file is there; null: none. */
export async function look(
  fileSystem: FileSystem,
  file: string,
): Promise<{ readonly ino: number; readonly dev: number } | null> {
  try {
    return await fileSystem.lstat(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/** A rename replaces what is there without a word, so that is looked for first; the name is random enough. */
async function rename(fileSystem: FileSystem, tmp: string, target: string): Promise<void> {
  if ((await look(fileSystem, target)) !== null) throw new NameTaken('the name is taken')
  try {
    await fileSystem.rename(tmp, target)
  } catch (error) {
    const done = (await look(fileSystem, tmp)) === null && (await look(fileSystem, target)) !== null
    if (!done) throw error
  }
}

async function isSame(fileSystem: FileSystem, tmp: string, target: string): Promise<boolean> {
  const there = await look(fileSystem, target)
  if (there === null) return false
  const here = await look(fileSystem, tmp)
  return here !== null && here.ino === there.ino && here.dev === there.dev
}
