// Which attempts arrived in an mbox: the field that popfetch put right above each message says the intent of the attempt
// and how long the message is. One walk through the file answers for all. One rule: what is there by half did not arrive.
import { createHash } from 'node:crypto'
import { identity, splitHeader } from '../../header.ts'
import type { ReceivedFacts } from '../../message.ts'
import type { FileSystem } from '../disk/filesystem.ts'
import { lfToCrlf } from '../disk/line-endings.ts'
import { unquoted } from './mboxrd.ts'

/** A message between its marker and the empty line that ends it. */
export interface Place {
  readonly from: number
  readonly to: number
  /** As written, with LF line ends and without quoting. */
  readonly messageBytes: number
}

const CHUNK_BYTES = 256 * 1024
/** From a From_ line to the end of our fields. */
const TOP_BYTES = 4096
/** Memory for a large mbox: those that a crash left open are the last. */
const MOST_PLACES = 50_000
/** A line that is longer was hardly quoted. */
const MOST_LINE_BYTES = 1024 * 1024

const MARKER = /\nX-Popfetch-Delivery: ([0-9a-f]{16}) (\d{1,15})\n/

export function markerField(intent: string, messageBytes: number): string {
  return `X-Popfetch-Delivery: ${intent} ${messageBytes}\n`
}

/** By intent; of those `wanted`, or of the newest that there are. */
export async function places(
  fileSystem: FileSystem,
  fd: number,
  wanted: ReadonlySet<string> | null = null,
): Promise<ReadonlyMap<string, Place>> {
  const found = new Map<string, Place>()
  let open: { readonly intent: string; readonly from: number; readonly messageBytes: number } | null = null
  const close = (to: number): void => {
    if (open === null) return
    found.set(open.intent, { from: open.from, to: Math.max(open.from, to), messageBytes: open.messageBytes })
    const [oldest] = wanted === null ? found.keys() : []
    if (found.size > MOST_PLACES && oldest !== undefined) found.delete(oldest)
    open = null
  }
  const chunk = Buffer.alloc(CHUNK_BYTES)
  // As if there were a line end before the file, so that its first line is like the others.
  let text = '\n'
  let base = -1
  for (let read = 0; ;) {
    const length = await fileSystem.readAt(fd, chunk, read)
    read += length
    text += chunk.toString('latin1', 0, length)
    const limit = length === 0 ? text.length : text.length - TOP_BYTES
    for (let at = text.indexOf('\nFrom '); at >= 0 && at < limit; at = text.indexOf('\nFrom ', at + 1)) {
      close(base + at)
      const marker = MARKER.exec(text.slice(at + 1, at + 1 + TOP_BYTES))
      if (marker === null) continue
      const [all, intent = '', bytes] = marker
      if (wanted !== null && !wanted.has(intent)) continue
      open = { intent, from: base + at + 1 + marker.index + all.length, messageBytes: Number(bytes) }
    }
    if (length === 0) {
      close(base + text.length - (text.endsWith('\n\n') ? 1 : 0))
      return found
    }
    const cut = Math.max(0, limit)
    base += cut
    text = text.slice(cut)
  }
}

/** Is the message still where it was? Mail programs write the file anew. */
export async function stands(fileSystem: FileSystem, fd: number, intent: string, place: Place): Promise<boolean> {
  const marker = Buffer.from(markerField(intent, place.messageBytes))
  const before = Buffer.alloc(marker.length)
  const after = Buffer.alloc(6)
  const length = await fileSystem.readAt(fd, after, place.to)
  return (
    (await fileSystem.readAt(fd, before, place.from - marker.length)) === marker.length &&
    before.equals(marker) &&
    // An empty line and the next From_ line, or the end.
    '\nFrom '.startsWith(after.toString('latin1', 0, length))
  )
}

/** null: it is not all there. `received` is null where a mail program has added something. */
export async function readPlace(
  fileSystem: FileSystem,
  fd: number,
  { from, to, messageBytes }: Place,
): Promise<{ readonly received: ReceivedFacts | null } | null> {
  const digest = createHash('sha256')
  const chunk = Buffer.alloc(CHUNK_BYTES)
  let header: Buffer | null = null
  let seen = 0
  let receivedBytes = 0
  let rest = ''
  const take = (text: string): void => {
    const bytes = Buffer.from(unquoted(text), 'latin1')
    const own = bytes.subarray(0, Math.max(0, messageBytes - seen))
    seen += bytes.length
    const wide = Buffer.allocUnsafe(own.length * 2)
    const asCame = wide.subarray(0, lfToCrlf(own, wide))
    header ??= Buffer.from(splitHeader(asCame))
    digest.update(asCame)
    receivedBytes += asCame.length
  }
  for (let at = from; at < to;) {
    const length = await fileSystem.readAt(fd, chunk.subarray(0, Math.min(CHUNK_BYTES, to - at)), at)
    if (length === 0) break
    at += length
    rest += chunk.toString('latin1', 0, length)
    const lines = rest.length > MOST_LINE_BYTES ? rest.length : rest.lastIndexOf('\n') + 1
    if (lines === 0) continue
    take(rest.slice(0, lines))
    rest = rest.slice(lines)
  }
  take(rest)
  if (seen < messageBytes) return null
  // One more: the line end that an mbox wants after the last line.
  if (seen > messageBytes + 1) return { received: null }
  const top = header ?? Buffer.alloc(0)
  return {
    received: {
      receivedBytes,
      digest: digest.digest(),
      ...identity(top),
    },
  }
}
