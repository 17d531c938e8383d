// Writes one message body to a new file while the next part arrives. Two buffers take turns: one is filled while the other is
// written to disk. Memory does not grow with the message. Nothing here is durable; the Maildir sees to that. One rule: bytes
// are only ever added, and a CRLF cut in two by the end of a part is still one (P116, D015).
import { constants } from 'node:fs'
import type { FileForm, Message } from '../../message.ts'
import { bodyChunks } from './body.ts'
import { type Awaitable, type FileSystem, offLoop } from './filesystem.ts'
import { crlfToLf } from './line-endings.ts'
import type { Reserve } from './reserve.ts'
import { within } from './time-limit.ts'

/** Large enough for the full speed of a disk. Measured: smaller buffers cost time, larger ones save none. */
const BUFFER_BYTES = 512 * 1024
/** For writing one buffer: far more than any working disk or server needs. */
const WRITE_LIMIT_MS = 120_000
/** A file server that hangs must not keep a poll from ending. */
const DISPOSE_LIMIT_MS = 5000
const CR = 13
const LF = 10

/** Buffers for the next two files: one is being closed while the next begins. New buffers for each file would pile up
 *  outside V8's heap until they are collected. */
const SPARE_BUFFERS = 4
const spares: Buffer[] = []

export interface BodyFileOptions {
  readonly directory: string
  readonly name: string
  readonly mode: number
  readonly lineEndings: 'crlf' | 'lf'
  readonly prefix: Buffer
  readonly reserve: Reserve
  readonly signal: AbortSignal
  readonly fileSystem?: FileSystem
}

/** The file is private while it is written; `mode` is set at the end. */
export class BodyFile implements AsyncDisposable {
  readonly path: string
  readonly form: FileForm
  /** The bytes in the file so far; its size once `finish` has resolved. */
  fileBytes = 0
  readonly #options: BodyFileOptions
  readonly #fileSystem: FileSystem
  readonly #opening: Promise<number>
  #filling = newBuffer()
  #spare: Buffer | null = null
  #filled = 0
  /** The last byte was a CR. It is not in the buffer yet, because the next byte decides what becomes of it. */
  #heldCr = false
  #writing: Promise<void> | null = null
  #overflow: Buffer[] = []
  #draining: Promise<void> | null = null
  #failure: Error | null = null
  /** The last call to the file system, even if nobody waits for it any more. */
  #call: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: BodyFileOptions) {
    this.#options = options
    this.#fileSystem = options.fileSystem ?? offLoop
    this.path = `${options.directory}/${options.name}`
    this.form = { lineEndings: options.lineEndings, prefixBytes: options.prefix.length }
    this.#opening = this.#open()
    // The first write reports a failure to open.
    this.#opening.catch(() => {})
  }

  /** Takes `chunk`, which may be used again on return or once the promise has resolved. If it returns a promise, the caller
   *  waits for that before the next chunk. Throws or rejects with what went wrong on the disk. */
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

  /** Writes the rest, sets the mode and closes the file (checked: some file systems report a full disk only then, D002). */
  async finish(): Promise<void> {
    await this.#draining
    await this.#writing
    this.#check()
    if (this.#heldCr) this.#filling[this.#filled++] = CR
    await this.#put(this.#filling, this.#filled)
    // Only after success: after a failure a write that nobody waits for may still be under way.
    for (const buffer of [this.#filling, this.#spare]) if (buffer !== null) keepBuffer(buffer)
    // A destination may be slow, and only the bytes that arrived are counted for the message meanwhile (P5).
    this.#filling = Buffer.alloc(0)
    this.#spare = null
    const fd = await this.#opening
    if (this.#options.mode !== 0o600) await this.#wait(this.#fileSystem.fchmod(fd, this.#options.mode))
    this.#closed = true
    await this.#wait(this.#fileSystem.close(fd))
  }

  /** Closes the file and removes it, if it is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Not while an abandoned call is under way: its descriptor could belong to another file by then.
    const removed = this.#call
      .then(() => (this.#closed ? undefined : this.#opening.then((fd) => this.#fileSystem.close(fd))))
      .catch(() => {})
      .then(() => this.#fileSystem.unlink(this.path))
    this.#closed = true
    // The file is gone if a Maildir took it. A file that cannot be removed is left to the sweep.
    await within(removed, DISPOSE_LIMIT_MS).catch(() => {})
  }

  async #open(): Promise<number> {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    const fd = await this.#wait(this.#fileSystem.open(this.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600))
    await this.#write(fd, this.#options.prefix)
    return fd
  }

  /** Takes what fits and starts a write when the buffer is full and none is under way. Returns how much was taken. */
  #fill(chunk: Buffer): number {
    this.#check()
    let taken = 0
    while (taken < chunk.length) {
      // One byte is kept free for a held CR.
      const room = BUFFER_BYTES - 1 - this.#filled
      if (room > 0) {
        const part = chunk.subarray(taken, taken + room)
        this.#take(part)
        taken += part.length
      } else {
        if (this.#writing !== null) break
        this.#flush()
      }
    }
    return taken
  }

  /** Copies a part that fits, in the form of this file. */
  #take(part: Buffer): void {
    if (this.#options.lineEndings === 'crlf') {
      this.#filled += part.copy(this.#filling, this.#filled)
      return
    }
    if (this.#heldCr && part[0] !== LF) this.#filling[this.#filled++] = CR
    this.#filled += crlfToLf(part, this.#filling.subarray(this.#filled))
    this.#heldCr = part.at(-1) === CR
    if (this.#heldCr) this.#filled -= 1
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

  /** Starts writing the full buffer and continues with the other. */
  #flush(): void {
    const full = this.#filling
    const other = this.#spare ?? newBuffer()
    this.#spare = null
    this.#writing = this.#put(full, this.#filled)
      .catch((error: unknown) => {
        this.#failure = error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => {
        this.#spare = full
        this.#writing = null
      })
    this.#filling = other
    this.#filled = 0
  }

  async #put(buffer: Buffer, length: number): Promise<void> {
    const fd = await this.#opening
    await this.#options.reserve.take(this.#fileSystem, this.#options.directory, length)
    await this.#write(fd, buffer.subarray(0, length))
  }

  async #write(fd: number, bytes: Buffer): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      const written = await this.#wait(this.#fileSystem.write(fd, bytes, offset, bytes.length - offset))
      offset += written
      this.fileBytes += written
    }
  }

  async #wait<T>(work: Awaitable<T>): Promise<T> {
    if (!(work instanceof Promise)) return work
    this.#call = work.catch(() => {})
    return await within(work, WRITE_LIMIT_MS, this.#options.signal)
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure
  }
}

function newBuffer(): Buffer {
  return spares.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
}

function keepBuffer(buffer: Buffer): void {
  if (spares.length < SPARE_BUFFERS) spares.push(buffer)
}

const COPY_BYTES = 256 * 1024

/** Writes a whole message to its new file, `file`. Rejects with what went wrong on the disk, or with BodyChanged. */
export async function fill(file: BodyFile, message: Message, fileSystem: FileSystem): Promise<void> {
  const memory = message.body.kind === 'file' ? Buffer.allocUnsafeSlow(COPY_BYTES) : null
  for await (const chunk of bodyChunks(message, fileSystem, memory)) await file.append(chunk)
  await file.finish()
}
