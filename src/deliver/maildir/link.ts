// The step that makes a file visible: it gets a second name in new/, then loses the first (D005). Copes with file servers
// that report an error for a link that they made (D011), and with file systems that have no links.
import { errnoOf } from '../../errors.ts'
import { type FileSystem, lstatOrNull } from '../disk/filesystem.ts'

/** FAT, some FUSE and SMB file systems have no links. */
const NO_LINKS: ReadonlySet<string | null> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/** Has the code of link(2). */
class NameTaken extends Error {
  readonly code = 'EEXIST'
}

/** On return the file is at `target`, and no longer at `tmp` unless that could not be removed. Rejects with what the system
 *  says; then something may be at `target`. Never replaces a file. */
export async function publish(fileSystem: FileSystem, tmp: string, target: string): Promise<void> {
  try {
    await fileSystem.link(tmp, target)
  } catch (error) {
    if (!(await isSame(fileSystem, tmp, target))) {
      if (!NO_LINKS.has(errnoOf(error))) throw error
      return await rename(fileSystem, tmp, target)
    }
  }
  try {
    await fileSystem.unlink(tmp)
  } catch {
    // It is delivered, and a later sweep removes the second name.
  }
}

/** A rename silently replaces a file, so the target is checked first. Its name is random enough for that. */
async function rename(fileSystem: FileSystem, tmp: string, target: string): Promise<void> {
  if ((await lstatOrNull(fileSystem, target)) !== null) throw new NameTaken('the name is taken')
  try {
    await fileSystem.rename(tmp, target)
  } catch (error) {
    const done = (await lstatOrNull(fileSystem, tmp)) === null && (await lstatOrNull(fileSystem, target)) !== null
    if (!done) throw error
  }
}

async function isSame(fileSystem: FileSystem, tmp: string, target: string): Promise<boolean> {
  const there = await lstatOrNull(fileSystem, target)
  if (there === null) return false
  const here = await lstatOrNull(fileSystem, tmp)
  return here !== null && here.ino === there.ino && here.dev === there.dev
}

/** Could the file not be linked because new/ itself is gone? Then no other can be either. Where the file is gone, that says nothing about
 *  the next one (D021). */
export async function isFolderGone(fileSystem: FileSystem, tmp: string, reason: unknown): Promise<boolean> {
  try {
    return errnoOf(reason) === 'ENOENT' && (await lstatOrNull(fileSystem, tmp)) !== null
  } catch {
    return false
  }
}
