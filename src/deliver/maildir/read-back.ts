// What was received, from the file that a Maildir keeps of it: the fields popfetch put on top taken off, line ends as they
// came. For a message that had a lone LF that cannot be told; then the figures do not match the server's, and it stays there.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { identity, splitHeader } from '../../header.ts'
import type { ReceivedFacts } from '../../message.ts'
import type { FileSystem } from '../disk/filesystem.ts'
import { lfToCrlf } from '../disk/line-endings.ts'

const READ_BYTES = 256 * 1024

/** `prefix`: the fields as they would be put on top now; their date may differ. null: the file cannot be read, or does not
 *  begin like that. */
export async function readBack(
  fileSystem: FileSystem,
  file: string,
  form: { readonly lineEndings: 'crlf' | 'lf'; readonly prefix: Buffer },
): Promise<ReceivedFacts | null> {
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
      ...identity(header),
    }
  } catch {
    return null
  } finally {
    await fileSystem.close(fd)
  }
}

/** How long `prefix` is at the top of a file where its dates are others; null: it is not there. */
function lengthOnTop(top: Buffer, prefix: Buffer): number | null {
  const lines = prefix.toString('latin1').split('\n').slice(0, -1)
  let at = 0
  for (const line of lines) {
    const end = top.indexOf('\n', at, 'latin1')
    if (end < 0 || dateless(top.toString('latin1', at, end)) !== dateless(line)) return null
    at = end + 1
  }
  return at
}

/** RFC 5321 section 4.4: the date of a trace field stands after its last semicolon. */
function dateless(line: string): string {
  const semicolon = line.lastIndexOf(';')
  return semicolon < 0 ? line : line.slice(0, semicolon)
}
