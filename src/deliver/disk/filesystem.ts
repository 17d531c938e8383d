// Every call that deliver/ makes to a file system goes through this folder, so that a test can fail any of them. There are
// two ways to make a call. On the event loop it costs a few microseconds, which is right for disks of this machine. Off the
// loop it costs more, but a call that hangs holds up nothing else: right for network and FUSE file systems.
//
// What is synced, and when (fsync takes milliseconds, so it is always off the loop, except in memory):
// - A Maildir file before it gets its name in new/; then new/, once for a batch, before a delivery counts (D001, D003).
// - A new folder of a Maildir, and a new mbox, in the folder above. A file that is found after a crash, before it counts.
// - An mbox once for a batch. Before that its lock file says how to undo the batch, and afterwards that it is done (D101).
// - Never a spool file or the input of a command: the server still has the message. `close` is checked everywhere (D002).
import fs from 'node:fs'
import { promisify } from 'node:util'
import { errnoOf } from '../../errors.ts'

/** A value, or a promise of it: calls on the event loop return at once. `await` serves for both. */
export type Awaitable<T> = T | Promise<T>

export interface FileSystem {
  /** Every call but fsync is made on return, on the event loop. */
  readonly atOnce: boolean
  open(path: string, flags: number, mode?: number): Awaitable<number>
  /** Writes at the current position, perhaps less than asked; returns how much. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number): Awaitable<number>
  /** Reads from the current position; 0 at the end. */
  read(fd: number, into: Uint8Array): Awaitable<number>
  /** Reads from `position`; the current position does not change. */
  readAt(fd: number, into: Uint8Array, position: number): Awaitable<number>
  ftruncate(fd: number, length: number): Awaitable<void>
  fstat(fd: number): Awaitable<fs.Stats>
  fchmod(fd: number, mode: number): Awaitable<void>
  futimes(fd: number, accessMs: number, changeMs: number): Awaitable<void>
  fsync(fd: number): Awaitable<void>
  close(fd: number): Awaitable<void>
  link(existing: string, path: string): Awaitable<void>
  rename(from: string, to: string): Awaitable<void>
  unlink(path: string): Awaitable<void>
  lstat(path: string): Awaitable<fs.Stats>
  realpath(path: string): Awaitable<string>
  access(path: string, mode: number): Awaitable<void>
  mkdir(path: string, mode: number): Awaitable<void>
  statfs(path: string): Awaitable<fs.StatsFs>
  /** The names in a directory, a thousand at a time: a folder may hold a million. */
  names(path: string): AsyncIterable<readonly string[]>
}

/** The two ways to make calls, and which of them is right for a file system (`type` of statfs). */
export interface FileSystems {
  readonly offLoop: FileSystem
  of(type: number): FileSystem
}

const NAMES_AT_ONCE = 1000
// Not fs.promises, which takes two milliseconds to load.
const opendir = promisify(fs.opendir)

async function* names(path: string): AsyncIterable<readonly string[]> {
  let batch: string[] = []
  for await (const entry of await opendir(path, { bufferSize: NAMES_AT_ONCE })) {
    batch.push(entry.name)
    if (batch.length === NAMES_AT_ONCE) {
      yield batch
      batch = []
    }
  }
  yield batch
}

const write = promisify(fs.write)
const read = promisify(fs.read)
const fsync = promisify(fs.fsync)
const futimes = promisify(fs.futimes)
const mkdir = promisify(fs.mkdir)

export const offLoop: FileSystem = {
  atOnce: false,
  open: promisify(fs.open),
  write: async (fd, bytes, offset, length) => (await write(fd, bytes, offset, length, null)).bytesWritten,
  read: async (fd, into) => (await read(fd, into, 0, into.length, null)).bytesRead,
  readAt: async (fd, into, position) => (await read(fd, into, 0, into.length, position)).bytesRead,
  ftruncate: promisify(fs.ftruncate),
  fstat: promisify(fs.fstat),
  fchmod: promisify(fs.fchmod),
  futimes: (fd, accessMs, changeMs) => futimes(fd, accessMs / 1000, changeMs / 1000),
  fsync,
  close: promisify(fs.close),
  link: promisify(fs.link),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  lstat: promisify(fs.lstat),
  realpath: promisify(fs.realpath),
  access: promisify(fs.access),
  mkdir: (path, mode) => mkdir(path, { mode }).then(() => undefined),
  statfs: promisify(fs.statfs),
  names,
}

const onLoop: FileSystem = {
  atOnce: true,
  open: fs.openSync,
  write: (fd, bytes, offset, length) => fs.writeSync(fd, bytes, offset, length, null),
  read: (fd, into) => fs.readSync(fd, into, 0, into.length, null),
  readAt: (fd, into, position) => fs.readSync(fd, into, 0, into.length, position),
  ftruncate: fs.ftruncateSync,
  fstat: (fd) => fs.fstatSync(fd),
  fchmod: fs.fchmodSync,
  futimes: (fd, accessMs, changeMs) => fs.futimesSync(fd, accessMs / 1000, changeMs / 1000),
  fsync,
  close: fs.closeSync,
  link: fs.linkSync,
  rename: fs.renameSync,
  unlink: fs.unlinkSync,
  lstat: (path) => fs.lstatSync(path),
  realpath: (path) => fs.realpathSync(path),
  access: fs.accessSync,
  mkdir(path, mode) {
    fs.mkdirSync(path, { mode })
  },
  statfs: (path) => fs.statfsSync(path),
  names,
}

/** In memory fsync has nothing to wait for. */
const inMemory: FileSystem = { ...onLoop, fsync: fs.fsyncSync }

// `f_type` of statfs(2) on Linux. All others (NFS, SMB, FUSE, the numbers of other systems) count as slow.
const MEMORY: ReadonlySet<number> = new Set([0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */])
const LOCAL: ReadonlySet<number> = new Set([
  0xef53 /* ext2, ext3, ext4 */, 0x58465342 /* xfs */, 0x9123683e /* btrfs */, 0x2fc12fc1 /* zfs */,
  0x794c7630 /* overlayfs */, 0xf2f52010 /* f2fs */, 0xca451a4e /* bcachefs */, 0x3153464a /* jfs */, 0x4d44 /* vfat */,
  0x2011bab0 /* exfat */,
])

export const fileSystems: FileSystems = {
  offLoop,
  of(type) {
    const unsigned = type >>> 0
    if (MEMORY.has(unsigned)) return inMemory
    return LOCAL.has(unsigned) ? onLoop : offLoop
  },
}

/** Has a sync nothing to wait for? */
export function isInMemory(fileSystem: FileSystem): boolean {
  return fileSystem === inMemory
}

/** Are its calls those of the system, so that another thread may make them as well? Not where a test fails some. */
export function isOfSystem(fileSystem: FileSystem): boolean {
  return fileSystem === onLoop || fileSystem === inMemory
}

const NO_FSYNC: ReadonlySet<string | null> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'])

/** Makes the names in `directory` survive a power cut, where the file system can do that (D003). */
export async function syncDirectory(fileSystem: FileSystem, directory: string): Promise<void> {
  const fd = await fileSystem.open(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  try {
    await fileSystem.fsync(fd)
  } catch (error) {
    // SMB and some FUSE file systems cannot sync a directory.
    if (!NO_FSYNC.has(errnoOf(error))) throw error
  } finally {
    await fileSystem.close(fd)
  }
}

/** Writes all of `bytes`. Where calls run on the event loop, all is written on return and `bytes` may be used again. */
export function writeAll(fileSystem: FileSystem, fd: number, bytes: Buffer, written = 0): Awaitable<void> {
  for (let at = written; at < bytes.length;) {
    const some = fileSystem.write(fd, bytes, at, bytes.length - at)
    if (some instanceof Promise) return some.then((count) => writeAll(fileSystem, fd, bytes, at + count))
    at += some
  }
}

/** null: there is no such file. */
export async function lstatOrNull(fileSystem: FileSystem, file: string): Promise<fs.Stats | null> {
  try {
    return await fileSystem.lstat(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/** The beginning of a small file of the system. */
export async function readText(file: string, mostBytes: number): Promise<string> {
  const fd = await offLoop.open(file, fs.constants.O_RDONLY)
  try {
    const bytes = Buffer.alloc(mostBytes)
    return bytes.toString('latin1', 0, await offLoop.read(fd, bytes))
  } finally {
    await offLoop.close(fd)
  }
}
