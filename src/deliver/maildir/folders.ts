// The folders of a Maildir: made, checked, made durable. Refuses folders that somebody else could turn against us (D008):
// links, other people's folders, world-writable folders. Touches no message.
import { concluded } from '../answers/conclusions.ts'
import { constants, type Stats } from 'node:fs'
import path from 'node:path'
import { display } from '../../display.ts'
import { DeliveryError, errnoOf } from '../../errors.ts'
import { type FileSystem, lstatOrNull, syncDirectory } from '../disk/filesystem.ts'

const PRIVATE = 0o700
const SET_GROUP = 0o2000

export interface Folders {
  readonly tmp: string
  readonly new: string
  readonly cur: string
}

export interface FolderRules {
  readonly create: boolean
  /** Mail was delivered there before: what is gone is not made. */
  readonly wasThere?: boolean
  /** Of message files: who may read those may open the folders that are made. */
  readonly mode: number
  /** As `ourUid` tells it. */
  readonly uid: number | null
  /** "maildir ~/Mail", for texts. */
  readonly description: string
}

export function foldersOf(root: string): Folders {
  return { tmp: path.join(root, 'tmp'), new: path.join(root, 'new'), cur: path.join(root, 'cur') }
}

/** On return the folders exist durably, are safe and can be written to. Rejects with DeliveryError, or with what the
 *  system said. */
export async function openFolders(fileSystem: FileSystem, root: string, rules: FolderRules): Promise<Folders> {
  const folders = foldersOf(root)
  const all = [folders.tmp, folders.new, folders.cur]
  if (rules.wasThere === true && (await lstatOrNull(fileSystem, folders.new)) === null) {
    const advice =
      'mount the disk that it is on, or put it back; if it was removed on purpose, create it again with mkdir'
    throw refusal(rules, `${display(folders.new)} is gone, though mail was delivered there: ${advice}`)
  }
  if (rules.create) for (const folder of [root, ...all]) await makeDirectory(fileSystem, folder, rules)
  // The Maildir itself may be a link, its folders may not.
  const real = await existing(root, rules, () => fileSystem.realpath(root))
  const rootStats = await existing(root, rules, () => fileSystem.lstat(real))
  check(root, rootStats, rules)
  const devices = new Set<number>()
  for (const folder of all) {
    const stats = await existing(folder, rules, () => fileSystem.lstat(folder))
    check(folder, stats, rules)
    if (folder !== folders.cur) devices.add(stats.dev)
    await fileSystem.access(folder, constants.W_OK | constants.X_OK)
  }
  if (devices.size > 1)
    throw refusal(rules, `${display(root)}: tmp/ and new/ are on different file systems: put them on one`)
  return folders
}

/** Makes `directory` and the missing ones above it, each durable in the one above. None that is there is changed. */
async function makeDirectory(fileSystem: FileSystem, directory: string, rules: FolderRules): Promise<void> {
  if (await isMade(fileSystem, directory, rules)) return
  const above = path.dirname(directory)
  if (above === directory) throw refusal(rules, `${display(directory)} does not exist`)
  await makeDirectory(fileSystem, above, rules)
  if (await isMade(fileSystem, directory, rules)) return
  // The one above is there by name, and yet nothing can be made in it: asking again would never end (D124).
  const why = 'leads to a place that does not exist, or where no directory can be made: mount it, or correct path'
  throw refusal(rules, `cannot make ${display(directory)}: ${display(above)} ${why}`)
}

/** True: it is there, durably if it was made now. False: the one above is missing. */
async function isMade(fileSystem: FileSystem, directory: string, { mode }: FolderRules): Promise<boolean> {
  try {
    await fileSystem.mkdir(directory, PRIVATE)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return true
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
  if (folderMode(mode) !== PRIVATE) await open(fileSystem, directory, folderMode(mode))
  await syncDirectory(fileSystem, path.dirname(directory))
  return true
}

/** Whoever may read or write the messages may do so in their folder: 0640 gives 0750, 0660 gives 0770. */
function folderMode(mode: number): number {
  return mode | ((mode & 0o444) >> 2)
}

/** Whatever the umask is (D009), as with files. A folder that took its group from the one above (2750) hands it on. */
async function open(fileSystem: FileSystem, directory: string, mode: number): Promise<void> {
  const fd = await fileSystem.open(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const { mode: made } = await fileSystem.fstat(fd)
    await fileSystem.fchmod(fd, mode | (made & SET_GROUP))
    await fileSystem.fsync(fd)
  } finally {
    await fileSystem.close(fd)
  }
}

async function existing<T>(folder: string, rules: FolderRules, look: () => T | Promise<T>): Promise<T> {
  try {
    return await look()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw refusal(rules, `${display(folder)} does not exist: create it, or set create: true`, error)
  }
}

function check(folder: string, stats: Stats, rules: FolderRules): void {
  const shown = display(folder)
  if (stats.isSymbolicLink()) throw refusal(rules, `${shown} is a symbolic link: replace it with a directory`)
  if (!stats.isDirectory()) throw refusal(rules, `${shown} is not a directory: give a Maildir`)
  if (rules.uid === null) return
  if ((stats.mode & 0o002) !== 0) throw refusal(rules, `${shown} is world-writable: chmod o-w it`)
  if (stats.uid === rules.uid) return
  const advice =
    rules.uid === 0 ? 'run popfetch as that user, or give root a Maildir of its own' : 'run popfetch as its owner'
  throw refusal(rules, `${shown} belongs to user ${stats.uid}, and popfetch runs as user ${rules.uid}: ${advice}`)
}

function refusal(rules: FolderRules, text: string, cause?: unknown): DeliveryError {
  return new DeliveryError(`${rules.description}: ${text}`, { ...concluded('ACT', 'folder'), retry: 'never', cause })
}
