// Reads delivered messages again from their files in a Maildir, as they were received. The fields on top are left out, and the
// line ends are those of the wire. If a message had a lone LF, its digest does not match, so it stays on the server.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { splitHeader } from '../../header.ts'
import { shownFacts } from '../../heading.ts'
import type { ReceivedFacts } from '../../message.ts'
import { type Attempt, receiptOf, type Recollection } from '../destination.ts'
import type { FileSystem } from '../disk/filesystem.ts'
import { lfToCrlf } from '../disk/line-endings.ts'
import { deliveredFiles, pathOf } from './find.ts'
import { lengthOnTop } from '../envelope.ts'
import type { Folders } from './folders.ts'

const READ_BYTES = 256 * 1024

export interface Form {
  readonly lineEndings: 'crlf' | 'lf'
  /** The fields as they would be put on top now; their date may differ. */
  readonly prefix: Buffer
}

/** null: the file cannot be read, or does not begin with these fields. */
export async function readBack(fileSystem: FileSystem, file: string, form: Form): Promise<ReceivedFacts | null> {
  let fd: number
  try {
    fd = await fileSystem.open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch {
    return null
  }
  try {
    const read = Buffer.allocUnsafeSlow(READ_BYTES)
    const wide = Buffer.allocUnsafeSlow(2 * READ_BYTES)
    const digest = createHash('sha256')
    let header: Buffer | null = null
    let receivedBytes = 0
    for (let length = await fileSystem.read(fd, read); length > 0; length = await fileSystem.read(fd, read)) {
      let part = read.subarray(0, length)
      if (header === null) {
        const prefixBytes = lengthOnTop(part, form.prefix)
        if (prefixBytes === null) return null
        part = part.subarray(prefixBytes)
      }
      const asCame = form.lineEndings === 'crlf' ? part : wide.subarray(0, lfToCrlf(part, wide))
      header ??= Buffer.from(splitHeader(asCame))
      digest.update(asCame)
      receivedBytes += asCame.length
    }
    header ??= Buffer.alloc(0)
    return {
      receivedBytes,
      digest: digest.digest(),
      ...shownFacts(header),
    }
  } catch {
    return null
  } finally {
    await fileSystem.close(fd)
  }
}

export interface Rereading {
  readonly fileSystem: FileSystem
  readonly folders: Folders
  readonly formOf: (attempt: Attempt) => Form
  /** `work` with a time limit, for a file server that hangs. `bytes`: how much there is to read. */
  readonly limited: <T>(work: Promise<T>, bytes: number) => Promise<T>
}

/** Enough for a disk to put in order. */
const READ_AT_ONCE = 8

/** The messages of these attempts, in their order, read from their files; null: there is none. A migration believes only
 *  what it reads here (S024). */
export async function reread(
  attempts: readonly Attempt[],
  context: Rereading,
): Promise<readonly (Recollection | null)[]> {
  const found = await rereadOnce(attempts, context)
  // A reader that sets flags renames a file, perhaps between our walk and our reading: then the second walk finds it.
  const missed = attempts.filter((_, at) => (found[at] ?? null) === null || found[at]?.received === null)
  if (missed.length === 0) return found
  const again = new Map((await rereadOnce(missed, context)).map((one, at) => [missed[at]?.intent, one]))
  return attempts.map(({ intent }, at) => again.get(intent) ?? found[at] ?? null)
}

async function rereadOnce(
  attempts: readonly Attempt[],
  { fileSystem, folders, formOf, limited }: Rereading,
): Promise<readonly (Recollection | null)[]> {
  const intents = new Set(attempts.map(({ intent }) => intent))
  const files = await limited(deliveredFiles(fileSystem, folders, intents), 0)
  const one = async (attempt: Attempt): Promise<Recollection | null> => {
    const file = files.get(attempt.intent)
    if (file === undefined) return null
    const received = await limited(readBack(fileSystem, pathOf(file), formOf(attempt)), file.fileBytes ?? 0)
    return { ...receiptOf(pathOf(file)), received }
  }
  const found: (Recollection | null)[] = []
  for (let at = 0; at < attempts.length; at += READ_AT_ONCE) {
    found.push(...(await Promise.all(attempts.slice(at, at + READ_AT_ONCE).map(one))))
  }
  return found
}
