// Several messages at the end of an mbox, in one go: under the lock that the caller holds, durable before anybody is told,
// taken back where it failed (D101). One rule: the file ends after a whole message, whatever happens in between.
import { constants } from 'node:fs'
import path from 'node:path'
import type { DeliveryError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import { diskError } from '../disk/disk-error.ts'
import type { FileSystem } from '../disk/filesystem.ts'
import type { Reserve } from '../disk/reserve.ts'
import { envelopeSender } from '../envelope.ts'
import { recover, separator } from './file.ts'
import type { MboxLock } from './lock.ts'
import { fromLine, MboxrdBody } from './mboxrd.ts'

export interface Letter {
  readonly message: Message
  /** The fields on top, with LF line ends, for a message of so many bytes. */
  prefix(messageBytes: number): string
}

export interface AppendOptions {
  readonly fileSystem: FileSystem
  readonly path: string
  readonly description: string
  readonly reserve: Reserve
  nowMs(): number
}

const CHUNK_BYTES = 256 * 1024

/** For each letter null, it stands there durably, or why not. Closes `fd`. Rejects with DeliveryError when nothing was
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
    const end = new End(fd, size, fileSystem)
    try {
      await end.write(Buffer.from(await separator(fileSystem, fd, size)))
      for (const [at, letter] of letters.entries()) {
        const before = end.sizeBytes
        try {
          await appendOne(letter, fromLines[at] ?? '', end, options)
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

/** The end of the file, where we write. */
class End {
  sizeBytes: number
  readonly #fd: number
  readonly #fileSystem: FileSystem

  constructor(fd: number, sizeBytes: number, fileSystem: FileSystem) {
    this.#fd = fd
    this.sizeBytes = sizeBytes
    this.#fileSystem = fileSystem
  }

  async write(bytes: Buffer): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const some = await this.#fileSystem.write(this.#fd, bytes, written, bytes.length - written)
      written += some
      this.sizeBytes += some
    }
  }

  async cut(sizeBytes: number): Promise<void> {
    try {
      await this.#fileSystem.ftruncate(this.#fd, sizeBytes)
      this.sizeBytes = sizeBytes
    } catch (cause) {
      throw new Uncut('not cut off', { cause })
    }
  }
}

async function appendOne(letter: Letter, from: string, end: End, options: AppendOptions): Promise<void> {
  const { fileSystem, reserve } = options
  const directory = path.dirname(options.path)
  const { message } = letter
  const put = async (bytes: Buffer): Promise<void> => {
    await reserve.take(fileSystem, directory, bytes.length)
    await end.write(bytes)
  }
  const { body } = message
  if (body.kind === 'memory') {
    const form = new MboxrdBody('crlf')
    const text = Buffer.concat([form.push(body.bytes), form.end()])
    return await put(Buffer.concat([Buffer.from(from + letter.prefix(form.bytes), 'latin1'), text]))
  }
  // Twice: how long it is with LF line ends stands on top of it.
  const counted = new MboxrdBody(body.form.lineEndings)
  await eachChunk(message, fileSystem, (chunk) => void counted.push(chunk))
  counted.end()
  await put(Buffer.from(from + letter.prefix(counted.bytes), 'latin1'))
  const form = new MboxrdBody(body.form.lineEndings)
  await eachChunk(message, fileSystem, (chunk) => put(form.push(chunk)))
  await put(form.end())
}

/** Of the message in its file. Rejects with Unreadable, or with what `use` rejects with. */
async function eachChunk(
  { body, sizeBytes }: Message,
  fileSystem: FileSystem,
  use: (chunk: Buffer) => Promise<void> | void,
): Promise<void> {
  if (body.kind !== 'file') return
  const read = async <T>(call: () => Promise<T> | T): Promise<T> => {
    try {
      return await call()
    } catch (error) {
      throw new Unreadable(`its file: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const fd = await read(() => fileSystem.open(body.path, constants.O_RDONLY | constants.O_NOFOLLOW))
  try {
    let at = body.form.prefixBytes
    for (;;) {
      // A new one each time: what is written may still lie in it.
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
      const position = at
      const length = await read(() => fileSystem.readAt(fd, chunk, position))
      if (length === 0) break
      at += length
      await use(chunk.subarray(0, length))
    }
    // K3: what a file of ours says is believed only when it is whole.
    if (body.form.lineEndings === 'crlf' && at - body.form.prefixBytes !== sizeBytes) {
      throw new Unreadable(`its file has ${at - body.form.prefixBytes} bytes instead of ${sizeBytes}`)
    }
  } finally {
    await fileSystem.close(fd)
  }
}

function senderOf({ header }: Message): string {
  return envelopeSender({ kind: 'original' }, header, '').address
}
