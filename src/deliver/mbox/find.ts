// Which attempts arrived in an mbox. The field that popfetch put right above each message says the intent of the attempt,
// how long the message is and which one it is. One walk through the file answers for all. One rule: what is there by half did not arrive.
import { createHash } from 'node:crypto'
import { splitHeader } from '../../header.ts'
import { shownFacts } from '../../heading.ts'
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
  readonly intent: string
  /** `messageKey` of the message; '' where an older popfetch wrote it. */
  readonly key: string
  /** By its From_ line; null: that is odd. */
  readonly atMs: number | null
}

const CHUNK_BYTES = 256 * 1024
/** From a From_ line to the end of our fields. */
const TOP_BYTES = 4096
/** Memory for a large mbox: those that a crash left open are the last. */
const MOST_PLACES = 50_000
/** A line that is longer was hardly quoted. */
const MOST_LINE_BYTES = 1024 * 1024

const MARKER = /\nX-Popfetch-Delivery: ([0-9a-f]{16}) (\d{1,15})(?: ([0-9a-f]{24}))?\n/
const FROM_DATE = /^From \S+ (\w{3} \w{3} [ \d]\d [\d:]{8} \d{4})\n/

export function markerField(intent: string, messageBytes: number, key: string): string {
  return `X-Popfetch-Delivery: ${intent} ${messageBytes}${key === '' ? '' : ` ${key}`}\n`
}

type Marker = Pick<Place, 'intent' | 'key'>

/** By intent; of those `wanted`, or of the newest that there are. */
export async function places(
  fileSystem: FileSystem,
  fd: number,
  wanted: ((marker: Marker) => boolean) | null = null,
): Promise<ReadonlyMap<string, Place>> {
  const found = new Map<string, Place>()
  for await (const slice of eachPlace(fileSystem, fd, wanted ?? (() => true)))
    for (const place of slice) {
      found.set(place.intent, place)
      const [oldest] = wanted === null ? found.keys() : []
      if (found.size > MOST_PLACES && oldest !== undefined) found.delete(oldest)
    }
  return found
}

/** Those `wanted`, in their order, in slices. */
export async function* eachPlace(
  fileSystem: FileSystem,
  fd: number,
  wanted: (marker: Marker) => boolean,
): AsyncGenerator<readonly Place[], void, void> {
  let slice: Place[] = []
  let open: Omit<Place, 'to'> | null = null
  const close = (to: number): void => {
    if (open !== null) slice.push({ ...open, to: Math.max(open.from, to) })
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
      const top = text.slice(at + 1, at + 1 + TOP_BYTES)
      const marker = MARKER.exec(top)
      if (marker === null) continue
      const [all, intent = '', bytes, key = ''] = marker
      if (!wanted({ intent, key })) continue
      const atMs = Date.parse(`${FROM_DATE.exec(top)?.[1] ?? ''} UTC`)
      const from = base + at + 1 + marker.index + all.length
      open = { intent, key, from, messageBytes: Number(bytes), atMs: Number.isNaN(atMs) ? null : atMs }
    }
    if (length === 0) {
      close(base + text.length - (text.endsWith('\n\n') ? 1 : 0))
      return yield slice
    }
    if (slice.length > 0) {
      yield slice
      slice = []
    }
    const cut = Math.max(0, limit)
    base += cut
    text = text.slice(cut)
  }
}

/** Is the message still where it was? Mail programs rewrite the file. */
export async function stands(fileSystem: FileSystem, fd: number, place: Place): Promise<boolean> {
  const marker = Buffer.from(markerField(place.intent, place.messageBytes, place.key))
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
      ...shownFacts(top),
    },
  }
}
