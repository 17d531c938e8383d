// Reads our messages in an IMAP folder again, as they were received: without the fields that popfetch put on top. Changes nothing.
// Many small ones come with one FETCH: over a long line each question costs more than the message.
import { createHash } from 'node:crypto'
import { splitHeader } from '../../header.ts'
import { shownFacts } from '../../heading.ts'
import type { ReceivedFacts } from '../../message.ts'
import { lengthOnTop } from '../envelope.ts'
import type { Settled } from '../destination.ts'
import type { Found } from './find.ts'
import type { ImapSession } from './session.ts'

/** Of one message's top: our fields have less. */
const TOP_BYTES = 64 * 1024
/** A larger message comes by itself, in pieces. */
const SMALL_BYTES = 1 << 20
/** At most this much in one FETCH, which is held in memory. */
const AT_ONCE = 100
const AT_ONCE_BYTES = 8 << 20

interface Wanted {
  readonly found: Found
  /** The fields that were put on top. */
  readonly prefix: Buffer
}

/** What was received, by UID, read back without the fields on top. Null, or none: it cannot be read, or does not begin with these
 *  fields. The folder is open (find.ts). */
export async function readAllBack(
  session: ImapSession,
  wanted: readonly Wanted[],
  limitMs: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, ReceivedFacts | null>> {
  const facts = new Map<number, ReceivedFacts | null>()
  const isSmall = ({ found }: Wanted): boolean => found.bytes !== null && found.bytes <= SMALL_BYTES
  for (const batch of batches(wanted.filter(isSmall))) {
    const prefixes = new Map(batch.map(({ found, prefix }) => [found.uid, prefix]))
    const fetchAll = async (client: Parameters<Parameters<ImapSession['run']>[1]>[0]): Promise<void> => {
      const range = { uid: [...prefixes.keys()].join(',') }
      for await (const { uid, source } of client.fetch(range, { uid: true, source: true })) {
        const prefix = prefixes.get(uid)
        if (prefix !== undefined && source !== undefined) facts.set(uid, await factsOf([source], prefix))
      }
    }
    await session.run('look', fetchAll, signal, { limitMs })
  }
  for (const { found, prefix } of wanted.filter((one) => !isSmall(one))) {
    facts.set(found.uid, await readBack(session, { uid: found.uid, prefix, limitMs }, signal))
  }
  return facts
}

function* batches(wanted: readonly Wanted[]): Generator<readonly Wanted[]> {
  let batch: Wanted[] = []
  let bytes = 0
  for (const one of wanted) {
    const size = one.found.bytes ?? 0
    if (batch.length >= AT_ONCE || (batch.length > 0 && bytes + size > AT_ONCE_BYTES)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(one)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

/** The UID that the server gave the message, as its receipt has it; null: it gave none. */
export function uidOf({ receipt }: Settled): number | null {
  const uid = Number(/, UID (\d{1,10})$/.exec(receipt ?? '')?.[1] ?? 0)
  return uid > 0 && uid <= 0xffff_ffff ? uid : null
}

/** One of them. */
export async function readBack(
  session: ImapSession,
  { uid, prefix, limitMs }: { uid: number; prefix: Buffer; limitMs: number },
  signal: AbortSignal,
): Promise<ReceivedFacts | null> {
  return await session.run(
    'look',
    async (client) => {
      const { content } = await client.download(String(uid), undefined, { uid: true })
      if (content === undefined) return null
      return await factsOf(content, prefix)
    },
    signal,
    { limitMs },
  )
}

/** Exported for tests. */
export async function factsOf(
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
  prefix: Buffer,
): Promise<ReceivedFacts | null> {
  const digest = createHash('sha256')
  let top: Buffer | null = Buffer.alloc(0)
  let header = Buffer.alloc(0)
  let receivedBytes = 0
  const take = (part: Buffer): void => {
    if (receivedBytes < TOP_BYTES) header = Buffer.concat([header, part]).subarray(0, 2 * TOP_BYTES)
    digest.update(part)
    receivedBytes += part.length
  }
  const begin = (whole: Buffer): boolean => {
    const onTop = lengthOnTop(whole, prefix)
    if (onTop === null) return false
    top = null
    take(whole.subarray(onTop))
    return true
  }
  for await (const part of content) {
    if (top === null) take(part)
    else {
      top = Buffer.concat([top, part])
      if (top.length >= TOP_BYTES && !begin(top)) return null
    }
  }
  if (top !== null && !begin(top)) return null
  return { receivedBytes, digest: digest.digest(), ...shownFacts(Buffer.from(splitHeader(header))) }
}
