// Finds our messages in an IMAP folder by X-Popfetch-Delivery: interrupted attempts, messages from before this ledger, messages
// that a migration reads again. The rule: where SEARCH finds nothing, headers are looked at, since servers answer SEARCH HEADER
// from an index that is late, or not at all; and nothing is changed: the folder is opened with EXAMINE.
import { createHash } from 'node:crypto'
import { identity, splitHeader } from '../../header.ts'
import type { ReceivedFacts } from '../../message.ts'
import type { Fetched } from './imapflow.ts'
import { MARK, type Mark, markOf } from './mark.ts'
import type { ImapSession } from './session.ts'

export interface Found extends Mark {
  readonly uid: number
  /** RFC822.SIZE, with the fields on top. */
  readonly bytes: number | null
}

/** A crash interrupts only the newest. */
const NEWEST = 500
/** UIDs in one FETCH: a line stays below 8 kB. */
const AT_ONCE = 500
/** Of one message's top: our fields have less. */
const TOP_BYTES = 64 * 1024

/** The message of one attempt. `uidNext`: it cannot be older than that; null: it may be any of them. Rejects with ImapFailure. */
export async function findIntent(
  session: ImapSession,
  path: string,
  { intent, uidNext, limitMs }: { intent: string; uidNext: number | null; limitMs: number },
  signal: AbortSignal,
): Promise<Found | null> {
  const exists = await examine(session, path, limitMs, signal)
  if (exists === 0) return null
  const is = (found: Found): boolean => found.intent === intent
  const uids = await search(session, intent, limitMs, signal)
  if (uids.length > 0) {
    const named = (await headers(session, uids, limitMs, signal)).find(is)
    if (named !== undefined) return named
  }
  const range = uidNext === null ? `${Math.max(1, exists - NEWEST + 1)}:*` : { uid: `${uidNext}:*` }
  const newest = await fetchMarks(session, range, limitMs, signal)
  const found = newest.find(is)
  if (found !== undefined) return found
  if (uidNext !== null || exists <= NEWEST || (await tells(session, newest, limitMs, signal))) return null
  return (await fetchMarks(session, '1:*', limitMs, signal)).find(is) ?? null
}

/** All messages of ours. */
export async function findAll(
  session: ImapSession,
  path: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const exists = await examine(session, path, limitMs, signal)
  if (exists === 0) return []
  const newest = await fetchMarks(session, `${Math.max(1, exists - NEWEST + 1)}:*`, limitMs, signal)
  if (exists <= NEWEST) return newest
  if (!(await tells(session, newest, limitMs, signal))) return await fetchMarks(session, '1:*', limitMs, signal)
  const uids = await search(session, '', limitMs, signal)
  const all = new Map([...(await headers(session, uids, limitMs, signal)), ...newest].map((one) => [one.uid, one]))
  return [...all.values()]
}

/** Does SEARCH find what is seen to be there? Without any of ours in sight nothing says that it does not. */
async function tells(
  session: ImapSession,
  seen: readonly Found[],
  limitMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const [one] = seen
  if (one === undefined) return true
  return (await search(session, one.intent, limitMs, signal)).includes(one.uid)
}

async function examine(session: ImapSession, path: string, limitMs: number, signal: AbortSignal): Promise<number> {
  const options = { readOnly: true }
  const { exists } = await session.run('look', (client) => client.mailboxOpen(path, options), signal, { limitMs })
  return exists
}

/** UIDs of messages with the field and this text in it; [] where the server refuses. */
async function search(
  session: ImapSession,
  text: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<readonly number[]> {
  // imapflow takes `true` for any value of the field.
  const query = { header: { [MARK]: text === '' ? true : text } }
  const found = await session.run('look', (client) => client.search(query, { uid: true }), signal, { limitMs })
  return Array.isArray(found) ? found : []
}

async function headers(
  session: ImapSession,
  uids: readonly number[],
  limitMs: number,
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const found: Found[] = []
  for (let at = 0; at < uids.length; at += AT_ONCE) {
    const range = { uid: uids.slice(at, at + AT_ONCE).join(',') }
    found.push(...(await fetchMarks(session, range, limitMs, signal)))
  }
  return found
}

async function fetchMarks(
  session: ImapSession,
  range: string | { uid: string },
  limitMs: number,
  signal: AbortSignal,
): Promise<Found[]> {
  const found: Found[] = []
  const work = async (client: Parameters<Parameters<ImapSession['run']>[1]>[0]): Promise<void> => {
    for await (const fetched of client.fetch(range, { uid: true, size: true, headers: [MARK] })) {
      const one = foundIn(fetched)
      if (one !== null) found.push(one)
    }
  }
  await session.run('look', work, signal, { limitMs })
  return found
}

function foundIn({ uid, size, headers: fields }: Fetched): Found | null {
  const mark = fields === undefined ? null : markOf(fields)
  return mark === null ? null : { ...mark, uid, bytes: size ?? null }
}

/** What was received, read back without the fields on top; null: it cannot be read, or does not begin with these fields. The
 *  folder is open (findIntent, findAll). */
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
export async function factsOf(content: AsyncIterable<Buffer>, prefix: Buffer): Promise<ReceivedFacts | null> {
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
  return { receivedBytes, digest: digest.digest(), ...identity(Buffer.from(splitHeader(header))) }
}

/** The length of the fields at the top that are `prefix` but for their dates; null: they are not there. */
function lengthOnTop(top: Buffer, prefix: Buffer): number | null {
  let at = 0
  for (const line of prefix.toString('latin1').split('\n').slice(0, -1)) {
    const end = top.indexOf('\n', at, 'latin1')
    if (end < 0 || dateless(top.toString('latin1', at, end)) !== dateless(line)) return null
    at = end + 1
  }
  return at
}

/** RFC 5321 section 4.4: the date of a trace field follows its last semicolon. */
function dateless(line: string): string {
  const semicolon = line.lastIndexOf(';')
  return semicolon < 0 ? line : line.slice(0, semicolon)
}
