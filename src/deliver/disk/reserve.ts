// Room that popfetch leaves free on every file system it writes to (DESIGN P5, P124): 100 MB and 2 %. Asked before each
// write, so it looks at the file system only now and then: again when a good part of what was free may be gone.
import type { Awaitable } from '../awaitable.ts'
import type { FileSystem, ImmediateFileSystem } from './filesystem.ts'

const FREE_BYTES = 100_000_000
const FREE_SHARE = 0.02
/** Others write too: after so much of our own it looks again. */
const LOOK_AGAIN_BYTES = 64 * 1024 * 1024
const BLOCK_BYTES = 4096

/** Looks like what the system says when a disk is full, and is dealt with like that. */
export class NoRoom extends Error {
  readonly code = 'ENOSPC'
}

interface Room {
  readonly freeBytes: number
  readonly keepBytes: number
  /** How much may be taken before it looks again. */
  leftBytes: number
}

/** One for the whole program. */
export class Reserve {
  readonly #rooms = new Map<string, Room>()

  /** Returns when `sizeBytes` more may be written below `directory`; throws or rejects with NoRoom, or with what statfs says. */
  take(fileSystem: FileSystem, directory: string, sizeBytes: number): Awaitable<void> {
    const blocks = blocksOf(sizeBytes)
    return this.#left(directory, blocks) ? undefined : this.#look(fileSystem, directory, blocks)
  }

  /** The same, on return. */
  takeNow(fileSystem: ImmediateFileSystem, directory: string, sizeBytes: number): void {
    const blocks = blocksOf(sizeBytes)
    if (!this.#left(directory, blocks)) this.#note(directory, fileSystem.statfs(directory), blocks)
  }

  /** Forgets what it saw: at the beginning of a poll. */
  refresh(directory: string): void {
    this.#rooms.delete(directory)
  }

  /** Takes it from what was seen to be free; false: that is not enough to go by. */
  #left(directory: string, blocks: number): boolean {
    const room = this.#rooms.get(directory)
    if (room === undefined || blocks > room.leftBytes) return false
    room.leftBytes -= blocks
    return true
  }

  #look(fileSystem: FileSystem, directory: string, blocks: number): Awaitable<void> {
    const stats = fileSystem.statfs(directory)
    if (stats instanceof Promise) return stats.then((now) => this.#note(directory, now, blocks))
    return this.#note(directory, stats, blocks)
  }

  #note(directory: string, stats: { bavail: number; blocks: number; bsize: number }, blocks: number): void {
    // Some FUSE file systems say zero for "unknown".
    const unknown = stats.blocks === 0
    const freeBytes = unknown ? Infinity : stats.bavail * stats.bsize
    const keepBytes = Math.max(FREE_BYTES, stats.blocks * stats.bsize * FREE_SHARE)
    const spareBytes = freeBytes - keepBytes
    if (blocks > spareBytes) {
      this.#rooms.delete(directory)
      throw new NoRoom(`${megabytes(freeBytes)} are free, and ${megabytes(keepBytes)} must stay free`)
    }
    this.#rooms.set(directory, { freeBytes, keepBytes, leftBytes: Math.min(LOOK_AGAIN_BYTES, spareBytes) - blocks })
  }
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}
