// An mbox as a destination (D100–D103): one file, each message appended whole, durably and once. How a message looks in it is
// mboxrd.ts, the lock mbox-lock.ts, appending mbox-append.ts, finding it again mbox-recall.ts; here is what holds them
// together. One rule: one batch at a time, and every wait ends.
import path from 'node:path'
import { display } from '../display.ts'
import { DeliveryError, errnoOf } from '../errors.ts'
import type { Message } from '../message.ts'
import type { Attempt, Destination, Receipt, Recollection } from './destination.ts'
import { diskError } from './disk-error.ts'
import { offLoop, type FileSystem } from './filesystem.ts'
import { append, type Letter } from './mbox-append.ts'
import { checkMbox, openMboxFile, recover, type MboxRules } from './mbox-file.ts'
import { LockHeld, MboxLock } from './mbox-lock.ts'
import { markerField, places, readPlace, stands, type Place } from './mbox-recall.ts'
import type { Reserve } from './reserve.ts'
import { NoAnswer, within } from './within.ts'

export interface MboxConfig {
  /** Absolute. */
  readonly path: string
  /** Puts popfetch's fields on top; without them a delivery is not found again. */
  readonly trace: boolean
  /** "mbox ~/mail/inbox". */
  readonly description: string
}

export interface MboxContext {
  readonly hostName: string
  readonly nowMs: () => number
  /** The fields to put on top, with CRLF line ends; '' for none. */
  readonly prefix: (attempt: Attempt) => string
  readonly reserve: Reserve
  /** For tests. */
  readonly uid?: number | null
  readonly fileSystem?: FileSystem
  readonly lockLimitMs?: number
  readonly lockRetryMs?: number
  readonly limitMs?: number
}

/** Messages under one lock: others want it too. */
const BATCH = 100
/** A mail program holds it for as long as it writes the file anew. */
const LOCK_LIMIT_MS = 30_000
const LOCK_RETRY_MS = 100
/** For one batch, beside the lock and at the rate below: no working disk or server needs as long. */
const LIMIT_MS = 120_000
const LEAST_BYTES_PER_MS = 1000
const DISPOSE_LIMIT_MS = 5000

interface Waiting extends Letter {
  readonly settle: PromiseWithResolvers<Receipt>
  state: 'waiting' | 'under way' | 'over'
}

export function openMbox(config: MboxConfig, context: MboxContext): Destination {
  return new Mbox(config, context)
}

class Mbox implements Destination {
  readonly description: string
  readonly recipients = ['']
  readonly spool = null
  readonly remembers: boolean
  readonly #context: MboxContext
  readonly #fileSystem: FileSystem
  readonly #rules: MboxRules
  readonly #limitMs: number
  readonly #end = new AbortController()
  #queue: Waiting[] = []
  #pump: Promise<void> | null = null
  /** Work that was given up because it hangs; while it does nothing else is begun. */
  #hung: Promise<unknown> | null = null
  /** As one walk found them since the last `ready`. */
  #places: ReadonlyMap<string, Place> | null = null

  constructor(config: MboxConfig, context: MboxContext) {
    const uid = context.uid === undefined ? (process.getuid?.() ?? null) : context.uid
    this.description = config.description
    this.remembers = config.trace
    this.#context = context
    this.#fileSystem = context.fileSystem ?? offLoop
    this.#rules = { fileSystem: this.#fileSystem, path: config.path, uid, description: config.description }
    this.#limitMs = context.limitMs ?? LIMIT_MS
  }

  async ready(signal: AbortSignal): Promise<void> {
    this.#places = null
    const { reserve } = this.#context
    const directory = path.dirname(this.#rules.path)
    reserve.refresh(directory)
    await this.#within(checkMbox(this.#rules), signal)
    await this.#within(Promise.resolve(reserve.take(this.#fileSystem, directory, 1)), signal)
  }

  async recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null> {
    if (!this.remembers) return null
    return await this.#locked(signal, async (fd) => {
      // What is there must stay there before anybody is told: it may have been cut off from its fsync.
      await this.#fileSystem.fsync(fd)
      const place = await this.#place(fd, attempt.intent)
      const found = place === undefined ? null : await readPlace(this.#fileSystem, fd, place)
      return found === null ? null : { text: this.#receipt(), received: found.received }
    })
  }

  census(): Promise<null> {
    return Promise.resolve(null)
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    const fields = this.#context.prefix(attempt).replaceAll('\r\n', '\n')
    const letter: Waiting = {
      message,
      prefix: (bytes) => fields + (this.remembers ? markerField(attempt.intent, bytes) : ''),
      settle: Promise.withResolvers<Receipt>(),
      state: 'waiting',
    }
    const onAbort = (): void => {
      const verdict = letter.state === 'waiting' ? 'temporary' : 'unknown'
      letter.state = 'over'
      letter.settle.reject(this.#failure(signal.reason, { verdict, scope: 'message' }))
    }
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    else this.#queue.push(letter)
    this.#pump ??= this.#work().finally(() => {
      this.#pump = null
    })
    try {
      return await letter.settle.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error('popfetch is ending'))
    // What hangs was given up by its caller; it is not waited for.
    if (this.#pump !== null) await within(this.#pump, Math.min(this.#limitMs, DISPOSE_LIMIT_MS)).catch(() => {})
  }

  /** Until nobody waits. What came in one turn of the loop goes in one batch. */
  async #work(): Promise<void> {
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH).filter(({ state }) => state === 'waiting')
      if (batch.length === 0) continue
      await this.#batch(batch)
    }
  }

  async #batch(batch: readonly Waiting[]): Promise<void> {
    for (const letter of batch) letter.state = 'under way'
    const started = { appending: false }
    try {
      if (this.#hung !== null) throw new NoAnswer('an earlier delivery still hangs')
      const bytes = batch.reduce((sum, { message }) => sum + message.sizeBytes, 0)
      const work = this.#append(batch, started)
      const limitMs = this.#limitMs + this.#lockLimitMs + bytes / LEAST_BYTES_PER_MS
      const results = await within(work, limitMs).catch((error: unknown) => {
        if (error instanceof NoAnswer) this.#mindHung(work)
        throw error
      })
      for (const [at, letter] of batch.entries()) {
        const failure = results[at] ?? null
        if (failure === null) letter.settle.resolve({ text: this.#receipt() })
        else letter.settle.reject(failure)
      }
    } catch (error) {
      const verdict = started.appending ? 'unknown' : 'temporary'
      for (const { settle } of batch) settle.reject(this.#failure(error, { verdict }))
    } finally {
      for (const letter of batch) letter.state = 'over'
    }
  }

  async #append(batch: readonly Waiting[], started: { appending: boolean }) {
    await using lock = await this.#lock(this.#end.signal)
    const fd = await openMboxFile(this.#rules)
    started.appending = true
    const { reserve, nowMs } = this.#context
    const { description, path: file } = this.#rules
    return await append(batch, fd, lock, {
      fileSystem: this.#fileSystem,
      path: file,
      description,
      reserve,
      nowMs: nowMs(),
    })
  }

  /** Looks at the file under the lock, after what a crash left half done was taken back. */
  async #locked<T>(signal: AbortSignal, look: (fd: number) => Promise<T>): Promise<T> {
    const work = async (): Promise<T> => {
      await using lock = await this.#lock(signal)
      const fd = await openMboxFile(this.#rules)
      try {
        if (lock.leftover !== null) await recover(this.#fileSystem, fd, lock.leftover)
        return await look(fd)
      } finally {
        await this.#fileSystem.close(fd)
      }
    }
    return await this.#within(work(), signal)
  }

  async #place(fd: number, intent: string): Promise<Place | undefined> {
    const known = this.#places?.get(intent)
    if (this.#places !== null && known === undefined) return undefined
    if (known !== undefined && (await stands(this.#fileSystem, fd, intent, known))) return known
    this.#places = await places(this.#fileSystem, fd)
    return this.#places.get(intent)
  }

  async #lock(signal: AbortSignal): Promise<MboxLock> {
    const { hostName, lockRetryMs = LOCK_RETRY_MS } = this.#context
    try {
      return await MboxLock.take({
        fileSystem: this.#fileSystem,
        path: this.#rules.path,
        hostName,
        signal,
        limitMs: this.#lockLimitMs,
        retryMs: lockRetryMs,
      })
    } catch (error) {
      throw this.#lockError(error)
    }
  }

  get #lockLimitMs(): number {
    return this.#context.lockLimitMs ?? LOCK_LIMIT_MS
  }

  #lockError(error: unknown): DeliveryError {
    const file = display(`${this.#rules.path}.lock`)
    const facts = { verdict: 'temporary', scope: 'destination', cause: error } as const
    if (error instanceof LockHeld) {
      const advice = 'end the program that has the mbox open, or remove the lock when there is none'
      return new DeliveryError(`${this.description}: ${file} is ${error.message}: ${advice}`, {
        ...facts,
        retry: 'soon',
      })
    }
    if (CANNOT_LOCK.has(errnoOf(error))) {
      const advice = `make ${display(path.dirname(this.#rules.path))} writable, or deliver with type: command and a program that may write there`
      const text = `${this.description}: cannot make its lock ${file} (${errnoOf(error)}): ${advice}`
      return new DeliveryError(text, { ...facts, retry: 'later' })
    }
    return diskError(`${this.description}: cannot make its lock ${file}`, error)
  }

  #mindHung(work: Promise<unknown>): void {
    const hung = work
      .catch(() => {})
      .finally(() => {
        if (this.#hung === hung) this.#hung = null
      })
    this.#hung = hung
  }

  #receipt(): string {
    return display(this.#rules.path, 500)
  }

  #failure(error: unknown, facts: Parameters<typeof diskError>[2]): DeliveryError {
    return diskError(`${this.description}: cannot append a message`, error, facts)
  }

  async #within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await within(work, this.#limitMs, signal)
    } catch (error) {
      if (CANNOT_LOCK.has(errnoOf(error))) throw this.#lockError(error)
      throw diskError(`${this.description}: cannot be used`, error)
    }
  }
}

/** Not writable, or a file system without links. */
const CANNOT_LOCK: ReadonlySet<string | null> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])
