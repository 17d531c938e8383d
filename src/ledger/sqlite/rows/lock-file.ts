// One at a time over the processes of a machine, for what is not an account. The kernel frees the lock when its process dies. The
// file is never removed: whoever removed it could take away a lock that somebody else has just got.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { isBusy } from './fault.ts'

const EVERY_MS = 50

/** In this process nobody else may have the file open: closing any descriptor of it drops the lock of all. */
const queues = new Map<string, Promise<void>>()

export interface LockWait {
  readonly limitMs: number
  readonly signal: AbortSignal
}

/** The lock that this file is, for whoever disposes of it; null: somebody still had it when the time was over. Makes the file
 *  if it is missing, readable only by its owner. The caller must not open it. Rejects with the signal's reason, with the
 *  system's or SQLite's error. */
export async function lockFile(path: string, { limitMs, signal }: LockWait): Promise<Disposable | null> {
  const before = queues.get(path) ?? Promise.resolve()
  const { promise: released, resolve: leave } = Promise.withResolvers<void>()
  // Who gives up waiting leaves the queue to those before it, which may still have the lock.
  const after = before.then(() => released)
  queues.set(path, after)
  void after.then(() => {
    if (queues.get(path) === after) queues.delete(path)
  })
  try {
    const end = performance.now() + limitMs
    const inTime = await Promise.race([before.then(() => true), delay(limitMs, false, { signal, ref: false })])
    const lock = inTime ? await taken(path, end, signal) : null
    if (lock === null) {
      leave()
      return null
    }
    return {
      [Symbol.dispose]() {
        lock.close()
        leave()
      },
    }
  } catch (error) {
    leave()
    signal.throwIfAborted()
    throw error
  }
}

async function taken(path: string, endMs: number, signal: AbortSignal): Promise<DatabaseSync | null> {
  // Before SQLite opens it, which would make it readable by others. A named pipe does not make it wait; a link is none of ours.
  const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
  await (await open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600)).close()
  for (;;) {
    signal.throwIfAborted()
    const database = new DatabaseSync(path, { timeout: 0 })
    try {
      database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
      return database
    } catch (error) {
      database.close()
      if (!isBusy(error)) throw error
      if (performance.now() >= endMs) return null
    }
    await delay(EVERY_MS, undefined, { signal })
  }
}
