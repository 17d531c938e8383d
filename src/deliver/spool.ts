// Receives one message from the POP3 session and holds it until its destinations have it: up to 1 MiB in memory, beyond
// that in a file; where the message has one destination and that is a Maildir, in its tmp/ and in its form. Nothing is
// interpreted: the digest is of the bytes as received. One rule: what is not complete is discarded (P110–P113).
import { createHash, type Hash, randomBytes } from 'node:crypto'
import { display } from '../display.ts'
import { DeliveryError } from '../errors.ts'
import { identity, sha256, splitHeader } from '../header.ts'
import type { Body, Message, Origin } from '../message.ts'
import type { Arena } from './arena.ts'
import type { Attempt, SpoolPlace } from './destination.ts'
import { BodyFile } from './disk/body-file.ts'
import { diskError } from './disk/disk-error.ts'
import { type FileSystem, offLoop } from './disk/filesystem.ts'
import { ownDirectory, sweep } from './disk/own-files.ts'
import type { Reserve } from './disk/reserve.ts'

/** Most mail is below; a window of a few dozen such messages stays within DESIGN 11's 150 MB. */
export const MEMORY_LIMIT_BYTES = 1 << 20
/** What is announced as larger goes to its file as soon as its header is here: memory held for a while is dear to free. */
const HEAD_BYTES = 64 << 10

const OWN_FILE = /^spool-[0-9a-f]{32}$/

/** A new one, which `sweepSpool` knows. */
export function spoolName(): string {
  return `spool-${randomBytes(16).toString('hex')}`
}

/** Removes what a popfetch that was killed left in `directory`, which need not be there. */
export async function sweepSpool(directory: string, nowMs: number): Promise<void> {
  await sweep(offLoop, directory, (name) => OWN_FILE.test(name), nowMs)
}

/** More was received than `maxSize` allows: the message is held, never deleted (P124). */
export class MessageTooLarge extends DeliveryError {
  override readonly name = 'MessageTooLarge'

  constructor(maxSizeBytes: number) {
    super(`the message is larger than ${maxSizeBytes} bytes (maxSize): raise maxSize to fetch it`, {
      verdict: 'refused',
      scope: 'message',
      retry: 'never',
    })
  }
}

export interface SpoolOptions {
  readonly origin: Origin
  /** Of the only destination, with the attempt; null: as received, into `directory`. */
  readonly place: SpoolPlace | null
  readonly attempt: Attempt | null
  /** A directory of popfetch's own, made (0700) when the first message needs it. */
  readonly directory: string
  /** As the server's LIST says, which need not be true; null or absent: not known. */
  readonly announcedBytes?: number | null
  readonly maxSizeBytes: number | null
  readonly reserve: Reserve
  /** Where a small message may lie until `release`; null or absent: in memory of its own. */
  readonly arena?: Arena | null
  readonly signal: AbortSignal
  /** For tests. */
  readonly fileSystem?: FileSystem
}

/** A message that went to a file: what is known of it meanwhile. */
interface Large {
  readonly file: BodyFile
  readonly digest: Hash
  readonly header: Buffer
}

/** Owns its file until a destination has renamed it away; disposing of it removes what is left. */
export class Spool implements AsyncDisposable {
  readonly #options: SpoolOptions
  readonly #memoryBytes: number
  #sizeBytes = 0
  #chunks: Buffer[] = []
  /** All that came so far, in the arena; null: it is in #chunks. */
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

  /** The next bytes as received. `chunk` must not change afterwards. undefined: go on; a promise: stop reading until it
   *  has resolved. Throws or rejects with MessageTooLarge, or with DeliveryError when the file cannot be written. */
  write(chunk: Buffer): Promise<void> | undefined {
    this.#sizeBytes += chunk.length
    const { maxSizeBytes } = this.#options
    if (maxSizeBytes !== null && this.#sizeBytes > maxSizeBytes) throw new MessageTooLarge(maxSizeBytes)
    if (this.#kept(chunk)) return undefined
    if (this.#large === null && this.#sizeBytes <= this.#memoryBytes) {
      this.#chunks.push(chunk)
      return undefined
    }
    try {
      const wait = this.#large === null ? this.#spill(chunk) : append(this.#large, chunk)
      if (wait === undefined) return undefined
      const told = wait.catch((error: unknown) => {
        throw this.#failure(error)
      })
      // Who writes on without waiting hears of a failure at the next call.
      told.catch(() => {})
      return told
    } catch (error) {
      throw this.#failure(error)
    }
  }

  /** Into the arena, while it is as small as announced. */
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

  /** Nobody reads the message any more, since it was delivered: its memory is used again. Without that it is not. */
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

  /** From memory to a file. */
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
    // A copy: the buffers that the chunks lie in are to be freed.
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
