// Receives one message from the POP3 session and holds it until its destinations have it. Up to 1 MiB it stays in memory,
// beyond that in a file. If its only destination is a Maildir, the file is in its tmp/ and in its form. Nothing is interpreted:
// the digest is of the bytes as received. One rule: an incomplete message is discarded (P110–P113, cut or stalled).
import { concluded } from './answers/conclusions.ts'
import { createHash, type Hash } from 'node:crypto'
import { display } from '../display.ts'
import { DeliveryError } from '../errors.ts'
import { identity, sha256, splitHeader } from '../header.ts'
import type { Body, Message, Origin } from '../message.ts'
import type { Arena } from './arena.ts'
import type { Attempt, SpoolPlace } from './destination.ts'
import { BodyFile } from './disk/body-file.ts'
import { diskError } from './disk/disk-error.ts'
import { type FileSystem, offLoop } from './disk/filesystem.ts'
import { ownDirectory } from './disk/own-files.ts'
import type { Reserve } from './disk/reserve.ts'
import { spoolName } from './disk/spool-files.ts'

/** Most mail is smaller. A few dozen such messages at once stay within the 150 MB of DESIGN 11. */
export const MEMORY_LIMIT_BYTES = 1 << 20
/** A message announced as larger goes to its file once its header has arrived. Memory that is held for a while is expensive to
 *  free. */
const HEAD_BYTES = 64 << 10

/** The message is larger than `maxSize` allows: it is held, never deleted (P124). */
export class MessageTooLarge extends DeliveryError {
  override readonly name = 'MessageTooLarge'

  constructor(maxSizeBytes: number) {
    super(
      `the message is larger than ${maxSizeBytes} bytes (maxSize): raise maxSize to fetch it`,
      concluded('HELD', 'maxSize'),
    )
  }
}

export interface SpoolOptions {
  readonly origin: Origin
  /** The place of the only destination, given together with the attempt; null: as received, in `directory`. */
  readonly place: SpoolPlace | null
  readonly attempt: Attempt | null
  /** A directory of popfetch's own, made (0700) when the first message needs it. */
  readonly directory: string
  /** The size in the server's LIST, which may be wrong; null or absent: unknown. */
  readonly announcedBytes?: number | null
  readonly maxSizeBytes: number | null
  readonly reserve: Reserve
  /** Memory for a small message until `release`; null or absent: memory of its own. */
  readonly arena?: Arena | null
  readonly signal: AbortSignal
  /** For tests. */
  readonly fileSystem?: FileSystem
}

/** A message that is being written to a file. */
interface Large {
  readonly file: BodyFile
  readonly digest: Hash
  readonly header: Buffer
}

/** Owns its file until a destination has renamed it away. Disposing of the spool removes whatever is left. */
export class Spool implements AsyncDisposable {
  readonly #options: SpoolOptions
  readonly #memoryBytes: number
  #sizeBytes = 0
  #chunks: Buffer[] = []
  /** The bytes so far, in the arena; null: they are in #chunks. */
  #piece: Buffer | null = null
  #large: Large | null = null
  #discarded = false

  constructor(options: SpoolOptions) {
    this.#options = options
    this.#memoryBytes = (options.announcedBytes ?? 0) > MEMORY_LIMIT_BYTES ? HEAD_BYTES : MEMORY_LIMIT_BYTES
  }

  get receivedBytes(): number {
    return this.#sizeBytes
  }

  /** Takes the next bytes as received. Returns undefined, and `chunk` may change; or a promise: then the caller stops reading, and
   *  `chunk` must not change, until it resolves. Throws or rejects with MessageTooLarge, or with DeliveryError when the file cannot be
   *  written. */
  write(chunk: Buffer): Promise<void> | undefined {
    this.#sizeBytes += chunk.length
    const { maxSizeBytes } = this.#options
    if (maxSizeBytes !== null && this.#sizeBytes > maxSizeBytes) throw new MessageTooLarge(maxSizeBytes)
    if (this.#kept(chunk)) return undefined
    if (this.#large === null && this.#sizeBytes <= this.#memoryBytes) {
      this.#chunks.push(Buffer.from(chunk))
      return undefined
    }
    try {
      const wait = this.#large === null ? this.#spill(chunk) : append(this.#large, chunk)
      if (wait === undefined) return undefined
      const told = wait.catch((error: unknown) => {
        throw this.#failure(error)
      })
      // A caller that does not wait gets the failure at its next call.
      told.catch(() => {})
      return told
    } catch (error) {
      throw this.#failure(error)
    }
  }

  /** Puts the chunk into the arena, as long as the message is no larger than announced. */
  #kept(chunk: Buffer): boolean {
    const { arena, announcedBytes } = this.#options
    const before = this.#sizeBytes - chunk.length
    if (before === 0 && this.#piece === null && arena && announcedBytes) this.#piece = arena.take(announcedBytes)
    if (this.#piece === null) return false
    if (this.#sizeBytes <= this.#piece.length) {
      chunk.copy(this.#piece, before)
      return true
    }
    this.#chunks = [Buffer.from(this.#piece.subarray(0, before))]
    this.#letGo()
    return false
  }

  /** The message was delivered and nobody reads it any more: its memory may be used again. */
  release(): void {
    this.#letGo()
    if (this.#large === null) this.#discarded = true
  }

  #letGo(): void {
    if (this.#piece !== null) this.#options.arena?.give(this.#piece)
    this.#piece = null
  }

  /** The complete message. Call it once, after the terminator was seen. Rejects with DeliveryError when its file cannot be
   *  completed. */
  async complete(nowMs: number): Promise<Message> {
    if (this.#large !== null) return await this.#completeFile(this.#large, nowMs)
    const bytes = this.#inMemory()
    return this.#message(sha256(bytes), splitHeader(bytes), { kind: 'memory', bytes }, nowMs)
  }

  async #completeFile({ file, digest, header }: Large, nowMs: number): Promise<Message> {
    try {
      await file.finish()
    } catch (error) {
      throw this.#failure(error)
    }
    return this.#message(digest.digest(), header, { kind: 'file', path: file.path, form: file.form }, nowMs)
  }

  #inMemory(): Buffer {
    if (this.#piece !== null) return this.#piece.subarray(0, this.#sizeBytes)
    const [only] = this.#chunks
    const bytes = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.#sizeBytes)
    this.#chunks = [bytes]
    return bytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#discarded) return
    this.#discarded = true
    this.#chunks = []
    if (this.#piece !== null) this.#options.arena?.lose(this.#piece)
    await this.#large?.file[Symbol.asyncDispose]()
  }

  #message(digest: Buffer, header: Buffer, body: Body, receivedMs: number): Message {
    return {
      origin: this.#options.origin,
      sizeBytes: this.#sizeBytes,
      digest,
      ...identity(header),
      header,
      body,
      receivedMs,
    }
  }

  /** Moves the message from memory to a file. */
  #spill(chunk: Buffer): Promise<void> | undefined {
    const { place, attempt, reserve, signal, fileSystem = offLoop } = this.#options
    const form =
      place !== null && attempt !== null
        ? {
            directory: place.directory,
            name: place.fileName(attempt),
            mode: place.mode,
            lineEndings: place.lineEndings,
            prefix: place.prefix(attempt),
          }
        : {
            directory: ownDirectory(this.#options.directory),
            name: spoolName(),
            mode: 0o600,
            lineEndings: 'crlf' as const,
            prefix: Buffer.alloc(0),
          }
    const chunks = [...this.#chunks, chunk]
    this.#chunks = []
    // A copy, so that the buffers of the chunks can be freed.
    const header = Buffer.from(splitHeader(Buffer.concat(chunks)))
    const file = new BodyFile({ ...form, reserve, signal, fileSystem })
    const large = { file, digest: createHash('sha256'), header }
    this.#large = large
    return chunks.map((each) => append(large, each)).findLast((wait) => wait !== undefined)
  }

  #failure(error: unknown): DeliveryError {
    const { place, directory } = this.#options
    const scope = place === null ? 'message' : 'destination'
    return diskError(`cannot keep a large message in ${display(place?.directory ?? directory)}`, error, { scope })
  }
}

function append({ file, digest }: Large, chunk: Buffer): Promise<void> | undefined {
  digest.update(chunk)
  return file.append(chunk)
}
