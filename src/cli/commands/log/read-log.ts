// The lines of a log, oldest first, and those that come. The file is read in pieces from its end, so that a large one costs no
// more than what is shown of it. What was renamed to `.1` belongs to it. A line of any length costs bounded memory.
import { open, stat, type FileHandle } from 'node:fs/promises'
import { constants } from 'node:fs'
import { errnoOf } from '../../../errors.ts'

const PIECE_BYTES = 64 * 1024
/** Of a longer line, the end. */
const LINE_BYTES = 64 * 1024

const NEWLINE = 0x0a

/** The lines of `file` from its end to its beginning, without line ends; an empty line is none. `endBytes`: as far as it is
 *  read. Rejects with the system's error. */
export async function* linesBackwards(file: FileHandle, endBytes: number): AsyncGenerator<string, void, void> {
  let tail: Buffer = Buffer.alloc(0)
  for (let end = endBytes; end > 0;) {
    const start = Math.max(0, end - PIECE_BYTES)
    const piece = await readAt(file, start, end - start)
    // The file was cut meanwhile.
    if (piece.length === 0) break
    let rest = Buffer.concat([piece, tail])
    for (let at = rest.lastIndexOf(NEWLINE); at !== -1; at = rest.lastIndexOf(NEWLINE)) {
      if (at + 1 < rest.length) yield textOf(rest.subarray(at + 1))
      rest = rest.subarray(0, at)
    }
    tail = rest.length > LINE_BYTES ? rest.subarray(-LINE_BYTES) : rest
    end = start
  }
  if (tail.length > 0) yield textOf(tail)
}

/** A log that grows, is renamed and begun again, or cut. */
export class FollowedLog implements AsyncDisposable {
  readonly #path: string
  #file: FileHandle
  #atBytes: number
  #rest: Buffer = Buffer.alloc(0)

  /** `file`: open, and owned from here on; read up to `atBytes`. */
  constructor(path: string, file: FileHandle, atBytes: number) {
    this.#path = path
    this.#file = file
    this.#atBytes = atBytes
  }

  /** The complete lines that have come since the last call. */
  async more(): Promise<readonly string[]> {
    const lines = await this.#grown()
    const next = await openRegular(this.#path)
    if (next === null) return lines
    const [old, now] = await Promise.all([this.#file.stat(), next.stat()])
    if (old.ino === now.ino && old.dev === now.dev) {
      await next.close()
      return lines
    }
    // What came between the first reading and the renaming.
    const last = await this.#grown()
    await this.#file.close()
    this.#file = next
    this.#atBytes = 0
    this.#rest = Buffer.alloc(0)
    return [...lines, ...last, ...(await this.#grown())]
  }

  async #grown(): Promise<string[]> {
    const { size } = await this.#file.stat()
    if (size < this.#atBytes) {
      this.#atBytes = 0
      this.#rest = Buffer.alloc(0)
    }
    const lines: string[] = []
    while (this.#atBytes < size) {
      const piece = await readAt(this.#file, this.#atBytes, Math.min(PIECE_BYTES, size - this.#atBytes))
      if (piece.length === 0) break
      this.#atBytes += piece.length
      let rest = Buffer.concat([this.#rest, piece])
      for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
        if (end > 0) lines.push(textOf(rest.subarray(0, end)))
        rest = rest.subarray(end + 1)
      }
      this.#rest = rest.length > LINE_BYTES ? rest.subarray(-LINE_BYTES) : rest
    }
    return lines
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}

/** Null: there is none, or it is not a file. A named pipe does not hold us up. */
export async function openRegular(path: string): Promise<FileHandle | null> {
  try {
    if (!(await stat(path)).isFile()) return null
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

function textOf(bytes: Buffer): string {
  return bytes.subarray(-LINE_BYTES).toString('utf8')
}
