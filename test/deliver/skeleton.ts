// A destination to copy from: complete, small, and it passes the contract suite. It puts each message into its own file. The
// name says which message and which attempt it is, so that an interrupted attempt is found again.
//
// A new kind of destination needs:
// 1. src/deliver/KIND/KIND.ts with `openKIND(settings, context)`, as here. What it promises is written in
//    src/deliver/destination.ts. Calls to a disk go through a FileSystem (src/deliver/disk/), so that tests can fail each.
// 2. One line in the table of src/deliver/index.ts.
// 3. src/config/destinations/KIND.ts, which says how it is configured (kind.ts beside it is the contract), and one line in the
//    table of src/config/destinations/destinations.ts.
// 4. test/deliver/KIND/contract.test.ts, which describes its place (place.ts) and runs the suite. On disk that is a DiskView and
//    one line in disk-kinds.ts, as in skeleton.test.ts; smtp/contract.test.ts shows a server.
// 5. Examples of its configuration in test/config/destinations/contract.test.ts, tests of its own for what only this kind does,
//    and its hazards in test/deliver/README.md.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import path from 'node:path'
import {
  type Attempt,
  type Destination,
  type Probed,
  type Receipt,
  receiptOf,
  type Recollection,
  type SpoolPlace,
  type Standing,
} from '../../src/deliver/destination.ts'
import { bodyChunks } from '../../src/deliver/disk/body.ts'
import { diskError } from '../../src/deliver/disk/disk-error.ts'
import { type FileSystem, offLoop, syncDirectory, writeAll } from '../../src/deliver/disk/filesystem.ts'
import type { Reserve } from '../../src/deliver/disk/reserve.ts'
import { within } from '../../src/deliver/disk/time-limit.ts'
import { messageKey } from '../../src/deliver/message-key.ts'
import { errnoOf, PopfetchError, type Verdict } from '../../src/errors.ts'
import type { Message, Origin } from '../../src/message.ts'

export interface SkeletonSettings {
  /** The directory; absolute. */
  readonly path: string
  /** Begins every error: "skeleton ~/letters". */
  readonly description: string
}

export interface SkeletonContext {
  readonly reserve: Reserve
  /** For tests. */
  readonly fileSystem?: FileSystem
  readonly limitMs?: number
}

/** No working disk or server needs as long (P5, every wait ends). */
const LIMIT_MS = 120_000
const DISPOSE_LIMIT_MS = 5000

export function openSkeleton(settings: SkeletonSettings, context: SkeletonContext): Destination {
  return new Skeleton(settings, context)
}

/** How far an attempt has come. It may be given up from outside, by a time limit or the signal, while a call still hangs. */
export interface Progress {
  mayBeVisible: boolean
  isGivenUp: boolean
}

export class Skeleton implements Destination {
  readonly description: string
  readonly recipients: readonly string[] = ['']
  readonly spool: SpoolPlace | null = null
  /** The name of a file says which attempt it is of. */
  readonly remembers: boolean = true
  protected readonly root: string
  protected readonly fileSystem: FileSystem
  readonly #reserve: Reserve
  readonly #limitMs: number
  /** Attempts under way, those that were given up included. */
  readonly #work = new Set<Promise<void>>()

  constructor({ path: root, description }: SkeletonSettings, context: SkeletonContext) {
    this.description = description
    this.root = root
    this.fileSystem = context.fileSystem ?? offLoop
    this.#reserve = context.reserve
    this.#limitMs = context.limitMs ?? LIMIT_MS
  }

  async ready(signal: AbortSignal): Promise<void> {
    const { W_OK, X_OK } = constants
    const look = async (): Promise<void> => {
      await this.fileSystem.access(this.root, W_OK | X_OK)
      this.#reserve.refresh(this.root)
      await this.#reserve.take(this.fileSystem, this.root, 1)
    }
    await this.limited(look(), signal, 'cannot be used')
  }

  /** Writes a file, and takes it back. */
  async probe(signal: AbortSignal): Promise<Probed> {
    await this.ready(signal)
    const part = `${randomBytes(8).toString('hex')}.part`
    const work = async (): Promise<void> => {
      const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
      const fd = await this.fileSystem.open(path.join(this.root, part), flags, 0o600)
      try {
        await writeAll(this.fileSystem, fd, Buffer.from('check'))
      } finally {
        await this.fileSystem.close(fd)
        await this.remove(part)
      }
    }
    await this.limited(work(), signal, 'cannot be written to')
    return { tls: null, findings: [], warnings: [] }
  }

  async recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null> {
    const name = nameOf(attempt)
    const look = async (): Promise<boolean> => {
      // Half a message, of a process that was killed.
      await this.remove(`${name}.part`)
      for await (const names of this.fileSystem.names(this.root)) {
        if (!names.includes(name)) continue
        // That process may have died before this.
        await syncDirectory(this.fileSystem, this.root)
        return true
      }
      return false
    }
    const isThere = await this.limited(look(), signal, 'cannot look for an earlier delivery')
    // Reading the file back would tell what had been received.
    return isThere ? { ...this.receipt(name), received: null } : null
  }

  async census(origins: readonly Origin[], signal: AbortSignal): Promise<readonly (Standing | null)[] | null> {
    const look = async (): Promise<ReadonlyMap<string, string>> => {
      const found = new Map<string, string>()
      for await (const names of this.fileSystem.names(this.root)) {
        for (const name of names) {
          const [, key, intent] = /^([0-9a-f]{24})-([0-9a-f]{16})$/.exec(name) ?? []
          if (key !== undefined && intent !== undefined) found.set(key, intent)
        }
      }
      return found
    }
    const intents = await this.limited(look(), signal, 'cannot be looked through')
    return origins.map((origin) => {
      const intent = intents.get(messageKey(origin))
      return intent === undefined
        ? null
        : { ...this.receipt(nameOf({ origin, intent })), intent, fileBytes: null, atMs: null }
    })
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    const name = nameOf(attempt)
    const progress = { mayBeVisible: false, isGivenUp: signal.aborted }
    const work = this.put(name, message, progress)
    this.#work.add(work)
    void work.catch(() => {}).finally(() => this.#work.delete(work))
    await this.limited(work, signal, 'cannot write a message', () => {
      progress.isGivenUp = true
      return progress.mayBeVisible ? 'unknown' : 'temporary'
    })
    return this.receipt(name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A call that hangs was given up by its caller, and is not waited for.
    await within(Promise.allSettled(this.#work), Math.min(this.#limitMs, DISPOSE_LIMIT_MS)).catch(() => {})
  }

  /** The message in a file of its own. Rejects with `progress` telling whether that may be there now. */
  protected async put(name: string, message: Message, progress: Progress): Promise<void> {
    const part = `${name}.part`
    try {
      await this.write(part, message, progress)
      this.assertWanted(progress)
      progress.mayBeVisible = true
      await this.fileSystem.rename(path.join(this.root, part), path.join(this.root, name))
      await syncDirectory(this.fileSystem, this.root)
    } catch (error) {
      await this.remove(part).catch(() => {})
      if (progress.mayBeVisible) {
        await this.remove(name)
        await syncDirectory(this.fileSystem, this.root)
        progress.mayBeVisible = false
      }
      throw error
    }
  }

  /** Complete and durable, but under a name that nobody looks at. */
  protected async write(part: string, message: Message, progress: Progress): Promise<void> {
    this.assertWanted(progress)
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
    const fd = await this.fileSystem.open(path.join(this.root, part), flags, 0o600)
    try {
      for await (const chunk of bodyChunks(message, this.fileSystem)) {
        await this.#reserve.take(this.fileSystem, this.root, chunk.length)
        await writeAll(this.fileSystem, fd, chunk)
      }
      await this.fileSystem.fsync(fd)
    } finally {
      await this.fileSystem.close(fd)
    }
  }

  protected async remove(name: string): Promise<void> {
    try {
      await this.fileSystem.unlink(path.join(this.root, name))
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }

  protected assertWanted({ isGivenUp }: Progress): void {
    if (!isGivenUp) return
    throw new PopfetchError('ERR_ABORTED', 'it was given up meanwhile', { scope: 'message', retry: 'soon' })
  }

  protected receipt(name: string): Receipt {
    return receiptOf(path.join(this.root, name))
  }

  /** `work`, until the limit or the signal ends the wait. Rejects with DeliveryError. */
  protected async limited<T>(
    work: Promise<T>,
    signal: AbortSignal,
    what: string,
    verdict: () => Verdict = () => 'temporary',
  ): Promise<T> {
    try {
      return await within(work, this.#limitMs, signal)
    } catch (error) {
      throw diskError(`${this.description}: ${what}`, error, { verdict: verdict() })
    }
  }
}

/** Which message and which attempt, in digits: nothing that a server or a sender chose is part of a path (P094). */
function nameOf({ origin, intent }: Pick<Attempt, 'origin' | 'intent'>): string {
  return `${messageKey(origin)}-${intent}`
}
