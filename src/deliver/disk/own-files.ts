// Files that belong to popfetch alone: the directory they are kept in, and the removal of those that a killed popfetch left
// behind. One rule: a file is removed only if it is a regular file, has one of our names, and is dead beyond doubt (D013). A
// file that cannot be examined or removed is left.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { display } from '../../display.ts'
import { DeliveryError, errnoOf } from '../../errors.ts'
import { ourUid } from '../../own-file.ts'
import { concluded } from '../answers/conclusions.ts'
import type { FileSystem } from './filesystem.ts'

/** maildir(5): no delivery takes more than 24 hours. A file that nobody has touched for 36 hours is dead. */
const DEAD_MS = 36 * 3_600_000

/** `isOrphan`: is whoever made the file of this name certainly gone? Then it need not be old (S050). */
export async function sweep(
  fileSystem: FileSystem,
  directory: string,
  isOurs: (name: string) => boolean,
  nowMs: number,
  isOrphan: (name: string) => boolean = () => false,
): Promise<void> {
  try {
    for await (const names of fileSystem.names(directory)) {
      for (const name of names.filter(isOurs))
        await removeDead(fileSystem, `${directory}/${name}`, nowMs, isOrphan(name))
    }
  } catch {
    // A failed sweep is no reason to stop: if something is wrong with the directory, using it will show that.
  }
}

async function removeDead(fileSystem: FileSystem, file: string, nowMs: number, isOrphan: boolean): Promise<void> {
  const stats = await fileSystem.lstat(file)
  // Not mtime alone: a file of a Maildir gets the date of its message while it is still in tmp/.
  const touchedMs = Math.max(stats.mtimeMs, stats.ctimeMs)
  if (stats.isFile() && (isOrphan || nowMs - touchedMs > DEAD_MS)) await fileSystem.unlink(file)
}

const OWNER = /^([0-9a-f]{16})-(\d{1,10})$/

let machine: string | null = null

/** For names of files: the process that makes them. */
export function ownerName(): string {
  return `${machineName()}-${process.pid}`
}

/** Is the process of this name certainly gone? A process of another machine or container is not: its numbers mean nothing here.
 *  A number that another process has by now says nothing either. */
export function isGone(owner: string): boolean {
  const [, where, number] = OWNER.exec(owner) ?? []
  if (where !== machineName()) return false
  try {
    process.kill(Number(number), 0)
    return false
  } catch (error) {
    return errnoOf(error) === 'ESRCH'
  }
}

/** Processes of one machine, or of one container, recognise each other by their process numbers. */
function machineName(): string {
  machine ??= createHash('sha256').update(`${hostname()} ${processNamespace()}`).digest('hex').slice(0, 16)
  return machine
}

/** '' where the system has none. */
function processNamespace(): string {
  try {
    return fs.readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/** With those above it. Node's own way to do that never ends below /proc (D124). */
function makeDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, 0o700)
  } catch (error) {
    const above = path.dirname(directory)
    if (errnoOf(error) === 'EEXIST') return
    if (errnoOf(error) !== 'ENOENT' || above === directory) throw error
    makeDirectory(above)
    // What is there by name, and yet takes nothing, says so a second time.
    fs.mkdirSync(directory, 0o700)
  }
}

/** A directory for files of popfetch's own, made (0700) if it is missing. Nobody else may write to it, or the files in it
 *  could be exchanged (N031). Throws DeliveryError when others may, or what the system says. The calls run on the event
 *  loop: they are few, and the directory is on this machine. */
export function ownDirectory(directory: string): string {
  makeDirectory(directory)
  const stats = fs.lstatSync(directory)
  const uid = ourUid()
  if (!stats.isDirectory() || (uid !== null && ((stats.mode & 0o022) !== 0 || stats.uid !== uid))) {
    const text = `${display(directory)} is not a directory that only popfetch writes to: remove it`
    // It is not the destination's: another message may need no file there.
    throw new DeliveryError(text, concluded('ACT', 'own directory', { scope: 'message' }))
  }
  return directory
}
