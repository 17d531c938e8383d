// Appends several messages to an mbox at once, under the lock that the caller holds. They are durable before anybody is told,
// and taken back after a failure (D101). One rule: the file ends after a whole message, whatever happens in between.
import path from 'node:path'
import type { DeliveryError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import { BodyChanged, bodyChunks } from '../disk/body.ts'
import { diskError } from '../disk/disk-error.ts'
import { type FileSystem, writeAll } from '../disk/filesystem.ts'
import type { Reserve } from '../disk/reserve.ts'
import { envelopeSender } from '../envelope.ts'
import type { Right } from '../right.ts'
import { recover, separator } from './file.ts'
import type { MboxLock } from './lock.ts'
import { fromLine, MboxrdBody } from './mboxrd.ts'

export interface Letter {
  readonly message: Message
  /** The fields on top, with LF line ends, for a message of this many bytes. */
  prefix(messageBytes: number): string
  readonly right?: Right | undefined
}

export interface AppendOptions {
  readonly fileSystem: FileSystem
  readonly path: string
  readonly description: string
  readonly reserve: Reserve
  nowMs(): number
}

const CHUNK_BYTES = 256 * 1024

/** For each letter null, it is there durably, or why not. Closes `fd`. Rejects with DeliveryError when nothing was
 *  written, with anything else when it is not known what was. */
export async function append(
  letters: readonly Letter[],
  fd: number,
  lock: MboxLock,
  options: AppendOptions,
): Promise<readonly (DeliveryError | null)[]> {
  const { fileSystem } = options
  const failure = (error: unknown, scope: 'message' | 'destination' = 'destination'): DeliveryError =>
    diskError(`${options.description}: cannot append a message`, error, { scope })
  let open = true
  try {
    const nowMs = options.nowMs()
    const fromLines = letters.map(({ message }) => fromLine(senderOf(message), nowMs))
    const size = await prepare(fd, lock, fromLines, fileSystem).catch((error: unknown) => {
      throw failure(error)
    })
    const results: (DeliveryError | null)[] = []
    const end = new End(fd, size, options)
    try {
      await end.add(Buffer.from(await separator(fileSystem, fd, size)))
      await end.flush()
      for (const [at, letter] of letters.entries()) {
        const before = end.sizeBytes
        try {
          await appendOne(letter, fromLines[at] ?? '', end, fileSystem)
          results.push(null)
        } catch (error) {
          await end.cut(before)
          // What is wrong with one message's own file is not wrong with the next.
          if (!(error instanceof Unreadable)) throw error
          results.push(failure(error, 'message'))
        }
      }
    } catch (error) {
      if (error instanceof Uncut) throw error.cause
      while (results.length < letters.length) results.push(failure(error))
    }
    try {
      await fileSystem.fsync(fd)
    } catch (error) {
      await end.cut(size)
      await lock.clear()
      return results.map((result) => result ?? failure(error))
    }
    open = false
    await fileSystem.close(fd)
    // Before anybody is told: a lock that outlives a power cut must not have this taken back.
    await lock.clear()
    return results
  } finally {
    if (open) await fileSystem.close(fd)
  }
}

/** The size of the file before; how it came to be is noted, durably. */
async function prepare(
  fd: number,
  lock: MboxLock,
  fromLines: readonly string[],
  fileSystem: FileSystem,
): Promise<number> {
  if (lock.leftover !== null) await recover(fileSystem, fd, lock.leftover)
  const { ino, size } = await fileSystem.fstat(fd)
  await lock.note({ inode: ino, sizeBytes: size, fromLines })
  return size
}

/** The spool file of one message. */
class Unreadable extends Error {}

/** Something of a message may still be there. */
class Uncut extends Error {}

/** The end of the mbox, where we write: in large pieces, whatever comes. */
class End {
  /** Without what is not written yet. */
  sizeBytes: number
  readonly #fd: number
  readonly #options: AppendOptions
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(fd: number, sizeBytes: number, options: AppendOptions) {
    this.#fd = fd
    this.sizeBytes = sizeBytes
    this.#options = options
  }

  async add(piece: Buffer): Promise<void> {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes >= CHUNK_BYTES) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#bytes === 0) return
    const { fileSystem, reserve, path: file } = this.#options
    const bytes = Buffer.concat(this.#pieces)
    this.#forget()
    await reserve.take(fileSystem, path.dirname(file), bytes.length)
    await writeAll(fileSystem, this.#fd, bytes)
    this.sizeBytes += bytes.length
  }

  async cut(sizeBytes: number): Promise<void> {
    this.#forget()
    try {
      await this.#options.fileSystem.ftruncate(this.#fd, sizeBytes)
      this.sizeBytes = sizeBytes
    } catch (cause) {
      throw new Uncut('not cut off', { cause })
    }
  }

  #forget(): void {
    this.#pieces = []
    this.#bytes = 0
  }
}

async function appendOne(letter: Letter, from: string, end: End, fileSystem: FileSystem): Promise<void> {
  const { message } = letter
  const { body } = message
  const lineEndings = body.kind === 'memory' ? 'crlf' : body.form.lineEndings
  // Read twice: the fields on top say how long the message is with LF line ends.
  const counted = new MboxrdBody(lineEndings)
  for await (const chunk of readable(message, fileSystem)) counted.push(chunk)
  counted.end()
  await end.add(Buffer.from(from + letter.prefix(counted.bytes), 'latin1'))
  const form = new MboxrdBody(lineEndings)
  for await (const chunk of readable(message, fileSystem)) await end.add(form.push(chunk))
  await end.add(form.end())
  await end.flush()
}

async function* readable(message: Message, fileSystem: FileSystem): AsyncGenerator<Buffer, void, void> {
  try {
    yield* bodyChunks(message, fileSystem)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Unreadable(error instanceof BodyChanged ? text : `its file: ${text}`)
  }
}

function senderOf({ header }: Message): string {
  return envelopeSender({ kind: 'original' }, header, '').address
}
