// The file system calls of this room and nothing else, so that a test can fail any of them. Two ways to make them: on the
// loop, which costs a few microseconds a call and is right for disks of this machine, and off the loop, for network and
// FUSE file systems whose server may hang. One rule: fsync of a disk is always off the loop, it takes milliseconds.
import fs from 'node:fs'
import { promisify } from 'node:util'
import type { Awaitable } from '../awaitable.ts'

/** What most messages need, on the loop: no promise is made, and what a call was given may be used again right behind it. */
export interface ImmediateFileSystem {
  open(path: string, flags: number, mode?: number): number
  write(fd: number, bytes: Uint8Array, offset: number, length: number): number
  fchmod(fd: number, mode: number): void
  futimes(fd: number, accessMs: number, changeMs: number): void
  statfs(path: string): fs.StatsFs
}

export interface FileSystem {
  /** The calls that return their value at once; null: none does. */
  readonly immediate: ImmediateFileSystem | null
  open(path: string, flags: number, mode?: number): Awaitable<number>
  /** At the current position; may write less than asked. Returns how much. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number): Awaitable<number>
  /** From the current position; 0 at the end. */
  read(fd: number, into: Uint8Array): Awaitable<number>
  /** From `position`; where reading goes on is not changed. */
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
  /** Names in a directory, a thousand at a time: a folder may hold a million. */
  names(path: string): AsyncIterable<readonly string[]>
}

/** The two ways, and which of them is right for a file system (`type` of statfs). */
export interface FileSystems {
  readonly offLoop: FileSystem
  of(type: number): FileSystem
}

const NAMES_AT_ONCE = 1000

async function* names(path: string): AsyncIterable<readonly string[]> {
  let batch: string[] = []
  for await (const entry of await fs.promises.opendir(path, { bufferSize: NAMES_AT_ONCE })) {
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

export const offLoop: FileSystem = {
  immediate: null,
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
  mkdir: (path, mode) => fs.promises.mkdir(path, { mode }).then(() => undefined),
  statfs: promisify(fs.statfs),
  names,
}

const immediate: ImmediateFileSystem = {
  open: fs.openSync,
  write: (fd, bytes, offset, length) => fs.writeSync(fd, bytes, offset, length, null),
  fchmod: fs.fchmodSync,
  futimes: (fd, accessMs, changeMs) => fs.futimesSync(fd, accessMs / 1000, changeMs / 1000),
  statfs: (path) => fs.statfsSync(path),
}

const onLoop: FileSystem = {
  ...immediate,
  immediate,
  read: (fd, into) => fs.readSync(fd, into, 0, into.length, null),
  readAt: (fd, into, position) => fs.readSync(fd, into, 0, into.length, position),
  ftruncate: fs.ftruncateSync,
  fstat: (fd) => fs.fstatSync(fd),
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
  names,
}

/** In memory there is nothing to wait for: fsync returns at once. */
const inMemory: FileSystem = { ...onLoop, fsync: fs.fsyncSync }

// `f_type` of statfs(2) on Linux. What is not named here (NFS, SMB, FUSE, other systems' numbers) is taken for slow.
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
