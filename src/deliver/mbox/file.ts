// An mbox while we hold its lock: opened with care (D103), looked at, what a dead popfetch left half done taken back
// (D101). Appending is append.ts. One rule: nothing is ever cut off that could be somebody else's mail.
import { concluded } from '../answers/conclusions.ts'
import { constants, type Stats } from 'node:fs'
import path from 'node:path'
import { display } from '../../display.ts'
import { DeliveryError, errnoOf } from '../../errors.ts'
import { type FileSystem, syncDirectory } from '../disk/filesystem.ts'
import type { Journal } from './lock.ts'

export interface MboxRules {
  readonly fileSystem: FileSystem
  readonly path: string
  /** As `ourUid` tells it. */
  readonly uid: number | null
  /** "mbox ~/mail/inbox", for texts. */
  readonly description: string
}

const LINK = 'is a symbolic link: give the file itself'
const NOT_REGULAR = 'is not a regular file: give another path'

const CHUNK_BYTES = 256 * 1024
/** Longer than any From_ line of ours. */
const LINE_BYTES = 1024

/** Is it a file that we may append to, or a name at which one can be made? Rejects with DeliveryError, or with what the
 *  system said. */
export async function checkMbox(rules: MboxRules): Promise<void> {
  const { fileSystem, path: file } = rules
  // The lock is made beside it.
  await fileSystem.access(path.dirname(file), constants.W_OK | constants.X_OK)
  try {
    await check(await fileSystem.lstat(file), rules)
    await fileSystem.access(file, constants.R_OK | constants.W_OK)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** A descriptor for reading anywhere and writing at the end; the file is made, 0600, where there is none. */
export async function openMboxFile(rules: MboxRules): Promise<number> {
  const { fileSystem, path: file } = rules
  const { O_RDWR, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_CREAT, O_EXCL } = constants
  const flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK
  let fd: number
  try {
    fd = await fileSystem.open(file, flags)
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') throw refusal(rules, LINK, error)
    if (errnoOf(error) === 'EISDIR' || errnoOf(error) === 'ENXIO') throw refusal(rules, NOT_REGULAR, error)
    if (errnoOf(error) !== 'ENOENT') throw error
    fd = await fileSystem.open(file, flags | O_CREAT | O_EXCL, 0o600)
    try {
      await syncDirectory(fileSystem, path.dirname(file))
    } catch (failure) {
      await fileSystem.close(fd)
      throw failure
    }
    return fd
  }
  try {
    await check(await fileSystem.fstat(fd), rules)
  } catch (error) {
    await fileSystem.close(fd)
    throw error
  }
  return fd
}

/** A descriptor for reading alone; null: there is no file. It makes nothing, and asks for no lock. */
export async function openToRead(rules: MboxRules): Promise<number | null> {
  const { fileSystem, path: file } = rules
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  try {
    await check(await fileSystem.lstat(file), rules)
    return await fileSystem.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

export function gone(rules: MboxRules): DeliveryError {
  return refusal(rules, 'does not exist: if mail was delivered there, mount its disk or put it back')
}

/** Takes back what an owner of the lock that died has appended, all of it: none of it was counted. Does nothing when the
 *  file is another one by now, was written to after `leftMs`, or has messages of others there. */
export async function recover(
  fileSystem: FileSystem,
  fd: number,
  journal: Journal,
  leftMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  const { ino, size, mtimeMs } = await fileSystem.fstat(fd)
  if (ino !== journal.inode || size <= journal.sizeBytes || mtimeMs >= leftMs) return
  if (!(await isAllOurs(fileSystem, fd, journal, size))) return
  await fileSystem.ftruncate(fd, journal.sizeBytes)
  await fileSystem.fsync(fd)
}

/** What must be written before a From_ line, so that it is recognised as one. A file that somebody left without an empty line
 *  at its end gets what is missing. */
export async function separator(fileSystem: FileSystem, fd: number, sizeBytes: number): Promise<string> {
  if (sizeBytes === 0) return ''
  const end = Buffer.alloc(2)
  const length = await fileSystem.readAt(fd, end, Math.max(0, sizeBytes - 2))
  const text = end.toString('latin1', 0, length)
  return text.endsWith('\n\n') || text === '\n' ? '' : text.endsWith('\n') ? '\n' : '\n\n'
}

/** Do all From_ lines after the old end stand in the journal, and does the first stand right there? */
async function isAllOurs(fileSystem: FileSystem, fd: number, journal: Journal, size: number): Promise<boolean> {
  const ours = new Set(journal.fromLines)
  const isOurs = (line: string): boolean => ours.has(line) || journal.fromLines.some((one) => one.startsWith(line))
  const buffer = Buffer.alloc(CHUNK_BYTES)
  let isFirst = true
  // The line end before the first From_ line is the old end of the file, or the separator we wrote.
  for (let at = journal.sizeBytes; at < size; at += CHUNK_BYTES - LINE_BYTES) {
    const length = await fileSystem.readAt(fd, buffer, at)
    let text = buffer.toString('latin1', 0, length)
    const isLast = at + length >= size
    if (isFirst) {
      text = text.replace(/^\n{0,2}/, '\n')
      if (!'\nFrom '.startsWith(text) && !text.startsWith('\nFrom ')) return false
      isFirst = false
    }
    for (let from = text.indexOf('\nFrom '); from >= 0; from = text.indexOf('\nFrom ', from + 1)) {
      const end = text.indexOf('\n', from + 1)
      if (end < 0 && text.length - from > LINE_BYTES) return false
      // Cut off here: seen whole in the next part, or cut off where the writer died.
      if (end < 0 && !isLast) break
      const line = end < 0 ? text.slice(from + 1) : text.slice(from + 1, end + 1)
      if (end < 0 ? !isOurs(line) : !ours.has(line)) return false
    }
  }
  return true
}

async function check(stats: Stats, rules: MboxRules): Promise<void> {
  if (stats.isSymbolicLink()) throw refusal(rules, LINK)
  if (!stats.isFile()) throw refusal(rules, NOT_REGULAR)
  if (rules.uid === null) return
  // In a spool anybody can give a second name to a file of ours that is no mbox.
  if (stats.nlink > 1 && (await isOpenToAll(rules))) {
    throw refusal(rules, `has ${stats.nlink} hard links in a directory where anybody can make one: give another path`)
  }
  if ((stats.mode & 0o002) !== 0) throw refusal(rules, 'is world-writable: chmod o-w it')
  if (stats.uid === rules.uid) return
  const advice =
    rules.uid === 0 ? 'run popfetch as that user, or give root a file of its own' : 'run popfetch as its owner'
  throw refusal(rules, `belongs to user ${stats.uid}, and popfetch runs as user ${rules.uid}: ${advice}`)
}

async function isOpenToAll({ fileSystem, path: file }: MboxRules): Promise<boolean> {
  return ((await fileSystem.lstat(await fileSystem.realpath(path.dirname(file)))).mode & 0o002) !== 0
}

function refusal(rules: MboxRules, text: string, cause?: unknown): DeliveryError {
  const facts = { ...concluded('ACT', 'file'), retry: 'never', cause } as const
  return new DeliveryError(`${rules.description}: ${display(rules.path)} ${text}`, facts)
}
