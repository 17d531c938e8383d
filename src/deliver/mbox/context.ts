// What all work on one mbox shares: where it is, its lock, and what goes wrong with either in words.
import { concluded } from '../answers/conclusions.ts'
import { concludeDisk } from '../answers/disk.ts'
import path from 'node:path'
import { display } from '../../display.ts'
import { DeliveryError, errnoOf } from '../../errors.ts'
import { diskError } from '../disk/disk-error.ts'
import type { FileSystem } from '../disk/filesystem.ts'
import type { Reserve } from '../disk/reserve.ts'
import { within } from '../disk/time-limit.ts'
import type { MboxRules } from './file.ts'
import { LockHeld, MboxLock } from './lock.ts'

export interface RoomOptions extends MboxRules {
  readonly hostName: string
  readonly nowMs: () => number
  readonly reserve: Reserve
  readonly lockLimitMs: number
  readonly lockRetryMs: number
  /** For what is done under the lock, beside the time that large messages take. */
  readonly limitMs: number
}

/** Not writable, or a file system without links. */
const CANNOT_LOCK: ReadonlySet<string | null> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

export class MboxRoom {
  readonly options: RoomOptions

  constructor(options: RoomOptions) {
    this.options = options
  }

  get fileSystem(): FileSystem {
    return this.options.fileSystem
  }

  /** Rejects with DeliveryError. */
  async lock(signal: AbortSignal): Promise<MboxLock> {
    const { fileSystem, path: file, hostName, uid, lockLimitMs, lockRetryMs } = this.options
    try {
      return await MboxLock.take({
        fileSystem,
        path: file,
        hostName,
        uid,
        signal,
        limitMs: lockLimitMs,
        retryMs: lockRetryMs,
      })
    } catch (error) {
      throw this.#lockError(error)
    }
  }

  /** Rejects with DeliveryError, after a while also when the file system does not answer. */
  async within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    const { limitMs, lockLimitMs, description } = this.options
    try {
      return await within(work, limitMs + lockLimitMs, signal)
    } catch (error) {
      if (!(error instanceof DeliveryError) && CANNOT_LOCK.has(errnoOf(error))) throw this.#lockError(error)
      throw diskError(`${description}: cannot be used`, error)
    }
  }

  failure(error: unknown, facts: Parameters<typeof diskError>[2]): DeliveryError {
    return diskError(`${this.options.description}: cannot append a message`, error, facts)
  }

  #lockError(error: unknown): DeliveryError {
    const { path: mbox, description } = this.options
    const file = display(`${mbox}.lock`)
    if (error instanceof LockHeld) {
      const advice = 'end the program that has the mbox open, or remove the lock when there is none'
      return new DeliveryError(`${description}: ${file} is ${error.message}: ${advice}`, {
        ...concludeDisk('LOCKED'),
        cause: error,
      })
    }
    if (CANNOT_LOCK.has(errnoOf(error))) {
      const advice = `make ${display(path.dirname(mbox))} writable, or deliver with type: command and a program that may write there`
      const text = `${description}: cannot make its lock ${file} (${errnoOf(error)}): ${advice}`
      return new DeliveryError(text, { ...concluded('ACT', 'lock'), cause: error })
    }
    return diskError(`${description}: cannot make its lock ${file}`, error)
  }
}
