// Writes one message body to a new file in one form, while the next part arrives: two buffers take turns, one is filled,
// the other is on its way to the disk. Memory does not grow with the message; nothing here is durable, the Maildir sees
// to that. One rule: bytes are only ever added, and a CRLF cut in two by a buffer's end is still one (P116, D015).
import { constants } from 'node:fs'
import type { FileForm } from '../message.ts'
import { type Awaitable, offLoop, type FileSystem } from './filesystem.ts'
import { crlfToLf } from './line-endings.ts'
import type { Reserve } from './reserve.ts'
import { within } from './within.ts'

/** Large enough for the disk's full speed, small enough to copy and convert between two turns of the loop. */
const BUFFER_BYTES = 512 * 1024
/** For one buffer to be written: far beyond what any working disk or server needs. */
const WRITE_LIMIT_MS = 120_000
/** A hung file server does not keep a poll from ending. */
const DISPOSE_LIMIT_MS = 5000
const CR = 13

export interface BodyFileOptions {
  readonly directory: string
  readonly name: string
  readonly mode: number
  readonly lineEndings: 'crlf' | 'lf'
  readonly prefix: Buffer
  readonly reserve: Reserve
  readonly signal: AbortSignal
  /** Sees the bytes as received, before they are converted. */
  readonly onBytes?: (bytes: Buffer) => unknown
  readonly fileSystem?: FileSystem
}

/** Private while it is written; `mode` is set at the end. */
export class BodyFile implements AsyncDisposable {
  readonly path: string
  readonly form: FileForm
  /** In the file so far: the size it has once `finish` has resolved. */
  fileBytes = 0
  readonly #options: BodyFileOptions
  readonly #fileSystem: FileSystem
  readonly #opening: Promise<number>
  #filling: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #spare: Buffer | null = null
  #filled = 0
  /** A CR of the buffer before stands at the front of this one, already seen by `onBytes`. */
  #held = 0
  #writing: Promise<void> | null = null
  #overflow: Buffer[] = []
  #draining: Promise<void> | null = null
  #failure: Error | null = null
  /** The last call to the file system, whether or not anybody still waits for it. */
  #call: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: BodyFileOptions) {
    this.#options = options
    this.#fileSystem = options.fileSystem ?? offLoop
    this.path = `${options.directory}/${options.name}`
    this.form = { lineEndings: options.lineEndings, prefixBytes: options.prefix.length }
    this.#opening = this.#open()
    // A failure to open is told by the first write.
    this.#opening.catch(() => {})
  }

  /** Takes `chunk`, which may be used again on return or once the promise has resolved. A promise: no more for now, wait
   *  for it. Throws or rejects with what went wrong on the disk. */
  append(chunk: Buffer): Promise<void> | undefined {
    if (this.#draining === null) {
      const taken = this.#fill(chunk)
      if (taken === chunk.length) return undefined
      this.#overflow.push(chunk.subarray(taken))
      this.#draining = this.#drain()
    } else {
      this.#overflow.push(chunk)
    }
    return this.#draining
  }

  /** Writes what is left, sets the mode, closes (checked: some file systems tell of a full disk only then, D002). */
  async finish(): Promise<void> {
    await this.#draining
    await this.#writing
    this.#check()
    await this.#put(this.#filling, this.#filled, true)
    this.#check()
    const fd = await this.#opening
    if (this.#options.mode !== 0o600) await this.#wait(this.#fileSystem.fchmod(fd, this.#options.mode))
    this.#closed = true
    await this.#wait(this.#fileSystem.close(fd))
  }

  /** Closes the file and removes it, if it is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Not while a call nobody waits for any more is under way: its descriptor could be another file's by then.
    const removed = this.#call
      .then(() => (this.#closed ? undefined : this.#opening.then((fd) => this.#fileSystem.close(fd))))
      .catch(() => {})
      .then(() => this.#fileSystem.unlink(this.path))
    this.#closed = true
    // Gone when a Maildir took it; whatever else went wrong is left to the sweep.
    await within(removed, DISPOSE_LIMIT_MS).catch(() => {})
  }

  async #open(): Promise<number> {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    const fd = await this.#wait(this.#fileSystem.open(this.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600))
    await this.#write(fd, this.#options.prefix)
    return fd
  }

  /** Copies what fits and starts a write when the buffer is full and none is under way. Returns how much was taken. */
  #fill(chunk: Buffer): number {
    this.#check()
    let taken = 0
    while (taken < chunk.length) {
      if (this.#filled === BUFFER_BYTES) {
        if (this.#writing !== null) break
        this.#flush()
      }
      const copied = chunk.copy(this.#filling, this.#filled, taken)
      this.#filled += copied
      taken += copied
    }
    return taken
  }

  async #drain(): Promise<void> {
    try {
      for (let next = this.#overflow.shift(); next !== undefined; next = this.#overflow.shift()) {
        let rest = next.subarray(this.#fill(next))
        while (rest.length > 0) {
          await this.#writing
          rest = rest.subarray(this.#fill(rest))
        }
      }
    } finally {
      this.#draining = null
      this.#overflow = []
    }
  }

  /** Hands the full buffer to the disk and goes on with the other. */
  #flush(): void {
    const full = this.#filling
    const other = this.#spare ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
    this.#spare = null
    this.#writing = this.#put(full, this.#filled, false)
      .catch((error: unknown) => {
        this.#failure = error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => {
        this.#spare = full
        this.#writing = null
      })
    this.#filling = other
    this.#filled = this.#held
    if (this.#held === 1) other[0] = CR
  }

  /** The part before the first wait has run when this returns: `held` is known then. */
  #put(buffer: Buffer, filled: number, last: boolean): Promise<void> {
    const received = buffer.subarray(this.#held, filled)
    this.#options.onBytes?.(received)
    const all = buffer.subarray(0, filled)
    let length = filled
    this.#held = 0
    if (this.#options.lineEndings === 'lf') {
      length = crlfToLf(all, buffer)
      if (!last && length > 0 && buffer[length - 1] === CR) {
        this.#held = 1
        length -= 1
      }
    }
    return this.#opening.then(async (fd) => {
      await this.#options.reserve.take(this.#fileSystem, this.#options.directory, length)
      await this.#write(fd, buffer.subarray(0, length))
    })
  }

  async #write(fd: number, bytes: Buffer): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      const written = await this.#wait(this.#fileSystem.write(fd, bytes, offset, bytes.length - offset))
      offset += written
      this.fileBytes += written
    }
  }

  #wait<T>(work: Awaitable<T>): Awaitable<T> {
    if (!(work instanceof Promise)) return work
    this.#call = work.catch(() => {})
    return within(work, WRITE_LIMIT_MS, this.#options.signal)
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure
  }
}
