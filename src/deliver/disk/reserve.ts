// The space that popfetch leaves free on every file system it writes to (DESIGN P5, P124, D134): 100 MB, 2 %, 1000
// files. It is asked before each write, so it looks at the file system only now and then: again when 64 MiB may be gone.
import type { FileSystem } from './filesystem.ts'

const FREE_BYTES = 100_000_000
const FREE_SHARE = 0.02
/** Of a large disk no more than that. */
const MOST_FREE_BYTES = 1_000_000_000
/** A Maildir without inodes takes no message, however many bytes are free. */
const FREE_FILES = 1000
/** Other programs write too: after this many bytes of our own it looks again. */
const LOOK_AGAIN_BYTES = 64 * 1024 * 1024
const BLOCK_BYTES = 4096

/** How many bytes are to stay free of a file system of so many. */
export function keptFree(diskBytes: number): number {
  return Math.max(FREE_BYTES, Math.min(diskBytes * FREE_SHARE, MOST_FREE_BYTES))
}

/** Has the code of a full disk, and is treated like one. */
export class NoRoom extends Error {
  readonly code = 'ENOSPC'
}

interface Room {
  /** This many bytes may still be written. */
  spareBytes: number
  /** This many files may still be made. */
  spareFiles: number
  /** This many bytes may be written before the next look at the file system. */
  trustedBytes: number
  readonly text: string
}

/** One for the whole program. */
export class Reserve {
  readonly #rooms = new Map<string, Room>()
  /** Looks that are under way: whoever asks meanwhile waits for the same one. */
  readonly #looks = new Map<string, Promise<Room>>()

  /** Resolves when `sizeBytes` more may be written below `directory`, as one file or as so many. Rejects with NoRoom, or with what
   *  statfs says. */
  async take(fileSystem: FileSystem, directory: string, sizeBytes: number, files = 1): Promise<void> {
    // Of several files each begins a block.
    const bytes = (Math.ceil(sizeBytes / BLOCK_BYTES) + files - 1) * BLOCK_BYTES
    const known = this.#rooms.get(directory)
    const room =
      known !== undefined && bytes <= known.trustedBytes && known.spareFiles >= files
        ? known
        : await this.#look(fileSystem, directory)
    if (bytes > room.spareBytes || room.spareFiles < files) {
      this.#rooms.delete(directory)
      throw new NoRoom(room.text)
    }
    room.spareBytes -= bytes
    room.spareFiles -= files
    room.trustedBytes -= bytes
  }

  /** What may be written below `directory` now, in bytes and in files. Rejects with what the system says. */
  async space(fileSystem: FileSystem, directory: string): Promise<{ key: string; bytes: number; messages: number }> {
    this.refresh(directory)
    const { spareBytes, spareFiles } = await this.#look(fileSystem, directory)
    const { dev } = await fileSystem.lstat(directory)
    return { key: `disk ${dev}`, bytes: Math.max(0, spareBytes), messages: Math.max(0, spareFiles) }
  }

  /** Looks again at the next call. For the beginning of a poll. */
  refresh(directory: string): void {
    this.#rooms.delete(directory)
    this.#looks.delete(directory)
  }

  #look(fileSystem: FileSystem, directory: string): Promise<Room> {
    const begun = this.#looks.get(directory)
    if (begun !== undefined) return begun
    const look = this.#measure(fileSystem, directory).finally(() => {
      if (this.#looks.get(directory) === look) this.#looks.delete(directory)
    })
    this.#looks.set(directory, look)
    return look
  }

  async #measure(fileSystem: FileSystem, directory: string): Promise<Room> {
    const { bavail, blocks, bsize, files, ffree } = await fileSystem.statfs(directory)
    // Some FUSE file systems say zero for "unknown".
    const freeBytes = blocks === 0 ? Infinity : bavail * bsize
    const keepBytes = keptFree(blocks * bsize)
    const spareBytes = freeBytes - keepBytes
    const trustedBytes = Math.min(LOOK_AGAIN_BYTES, spareBytes)
    // btrfs and others count no inodes.
    const spareFiles = files === 0 ? Infinity : ffree - FREE_FILES
    const text =
      spareFiles < 1
        ? `${ffree} more files may be made there (inodes), and ${FREE_FILES} must stay free`
        : `${megabytes(freeBytes)} are free, and ${megabytes(keepBytes)} must stay free`
    const room = { spareBytes, spareFiles, trustedBytes, text }
    this.#rooms.set(directory, room)
    return room
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}
