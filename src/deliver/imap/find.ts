// Finds our messages in an IMAP folder by X-Popfetch-Delivery: interrupted attempts, messages from before this ledger, settled
// ones by their UIDs (reread.ts reads them again). The rule: where SEARCH finds nothing, headers are looked at, since servers answer SEARCH HEADER
// from an index that is late, or not at all. And nothing is changed: the folder is opened with EXAMINE.
import { type Item, receiptOf } from '../destination.ts'
import type { Fetched } from './imapflow.ts'
import { MARK, type Mark, markOf } from './content.ts'
import { foldersBeside } from './folder.ts'
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
/** In one FETCH of a range. */
const ITEMS_AT_ONCE = 2000

/** UIDNEXT of a folder, and the UIDVALIDITY under which it means something; null: the server does not say. */
interface Since {
  readonly uidNext: number
  readonly uidValidity: bigint | null
}

/** The message of one attempt, which may be any of them. */
async function findIntent(
  session: ImapSession,
  path: string,
  intent: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<Found | null> {
  const { exists } = await examine(session, path, limitMs, signal)
  if (exists === 0) return null
  const is = (found: Found): boolean => found.intent === intent
  const uids = await search(session, intent, limitMs, signal)
  if (uids.length > 0) {
    const named = (await headers(session, uids, limitMs, signal)).find(is)
    if (named !== undefined) return named
  }
  const newest = await fetchMarks(session, `${Math.max(1, exists - NEWEST + 1)}:*`, limitMs, signal)
  const found = newest.find(is)
  if (found !== undefined) return found
  if (exists <= NEWEST || (await tells(session, newest, limitMs, signal))) return null
  return (await fetchMarks(session, '1:*', limitMs, signal)).find(is) ?? null
}

/** Of more attempts of earlier processes the folder is read as a whole. */
const FEW_SEARCHES = 3
/** Attempts under way whose beginning is kept in mind. */
const MOST_KEPT = 1_000

/** Finds attempts in one folder. It keeps what it saw: a command that was lost may have had many messages. */
export class Finder {
  readonly #limitMs: number
  /** UIDNEXT before an attempt of this process that has not been answered. */
  readonly #begun = new Map<string, Since>()
  /** What has come since then, and since when. */
  #recent: { readonly since: Since; readonly look: Look } | null = null
  /** For attempts of earlier processes. */
  #searches = 0
  #look: Look | null = null

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /** What was seen before is no longer valid. */
  restore(): void {
    this.#searches = 0
    this.#look = null
    this.#recent = null
  }

  /** The folder was made again, and its UIDs begin again. */
  forget(): void {
    this.#begun.clear()
    this.#recent = null
  }

  begin(intent: string, { uidNext, uidValidity }: { uidNext: number | null; uidValidity: bigint | null }): void {
    if (uidNext !== null) this.#begun.set(intent, { uidNext, uidValidity })
    const [oldest] = this.#begun.keys()
    if (this.#begun.size > MOST_KEPT && oldest !== undefined) this.#begun.delete(oldest)
  }

  /** It was taken. */
  end(intent: string): void {
    this.#begun.delete(intent)
  }

  /** Null: it is not there. Rejects with ImapFailure. */
  async find(session: ImapSession, path: string, intent: string, signal: AbortSignal): Promise<Found | null> {
    const since = this.#begun.get(intent)
    if (since !== undefined) return await this.#findRecent(session, path, intent, since, signal)
    this.#searches += 1
    if (this.#searches <= FEW_SEARCHES) return await findIntent(session, path, intent, this.#limitMs, signal)
    this.#look = await lookAgain(session, path, this.#look, this.#limitMs, signal)
    return this.#look.byIntent.get(intent) ?? null
  }

  /** Whatever SEARCH says (an index may be late), it can only be among what has come since. */
  async #findRecent(
    session: ImapSession,
    path: string,
    intent: string,
    since: Since,
    signal: AbortSignal,
  ): Promise<Found | null> {
    const covers =
      this.#recent !== null &&
      this.#recent.since.uidValidity === since.uidValidity &&
      this.#recent.since.uidNext <= since.uidNext
    const recent = covers && this.#recent !== null ? this.#recent : { since, look: { ...since, byIntent: new Map() } }
    const look = await lookAgain(session, path, recent.look, this.#limitMs, signal)
    this.#recent = { since: recent.since, look }
    return look.byIntent.get(intent) ?? null
  }
}

/** What is in a folder, for many questions. */
interface Look {
  readonly uidValidity: bigint | null
  /** What has come since has this UID or a higher one. */
  readonly uidNext: number
  readonly byIntent: Map<string, Found>
}

/** `before`, and what has come since. A poll that was killed may leave a thousand attempts: the folder is read once for them. */
async function lookAgain(
  session: ImapSession,
  path: string,
  before: Look | null,
  limitMs: number,
  signal: AbortSignal,
): Promise<Look> {
  const { exists, uidValidity, uidNext } = await examine(session, path, limitMs, signal)
  const isSame = before !== null && before.uidValidity === uidValidity && uidNext > 0
  const byIntent = isSame ? before.byIntent : new Map<string, Found>()
  const isNew = exists > 0 && (!isSame || uidNext > before.uidNext)
  const range = isSame ? { uid: `${before.uidNext}:*` } : null
  const found = !isNew
    ? []
    : range === null
      ? await findAll(session, path, limitMs, signal)
      : await fetchMarks(session, range, limitMs, signal)
  for (const one of found) byIntent.set(one.intent, one)
  return { uidValidity, uidNext, byIntent }
}

/** All messages of ours. */
export async function findAll(
  session: ImapSession,
  path: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const { exists } = await examine(session, path, limitMs, signal)
  if (exists === 0) return []
  const newest = await fetchMarks(session, `${Math.max(1, exists - NEWEST + 1)}:*`, limitMs, signal)
  if (exists <= NEWEST) return newest
  if (!(await tells(session, newest, limitMs, signal))) return await fetchMarks(session, '1:*', limitMs, signal)
  const uids = await search(session, '', limitMs, signal)
  const all = new Map([...(await headers(session, uids, limitMs, signal)), ...newest].map((one) => [one.uid, one]))
  return [...all.values()]
}

/** Messages of settled attempts, by intent. `uid`: as the server called it when it took it; null: it did not say. Where one is not
 *  under its UID any more, the whole folder is looked through. The folder is open afterwards. */
export async function findSettled(
  session: ImapSession,
  path: string,
  wanted: readonly { readonly intent: string; readonly uid: number | null }[],
  limitMs: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Found>> {
  const { exists } = await examine(session, path, limitMs, signal)
  if (exists === 0) return new Map()
  const uids = wanted.flatMap(({ uid }) => (uid === null ? [] : [uid]))
  const intents = new Set(wanted.map(({ intent }) => intent))
  const isMeant = ({ intent }: Found): boolean => intents.has(intent)
  const named = (await headers(session, uids, limitMs, signal)).filter(isMeant)
  const found = new Map(named.map((one) => [one.intent, one]))
  if (found.size === intents.size) return found
  const all = (await findAll(session, path, limitMs, signal)).filter(isMeant)
  return new Map([...all.map((one) => [one.intent, one] as const), ...found])
}

/** Runs a look on one of the server's sessions. */
export type Work = <T>(look: (session: ImapSession) => Promise<T>) => Promise<T>

/** All of our messages in this folder, or in all others, in slices. */
export async function* itemsOf(
  path: string,
  where: 'here' | 'elsewhere',
  { work, limitMs, signal }: { readonly work: Work; readonly limitMs: number; readonly signal: AbortSignal },
): AsyncGenerator<readonly Item[], void, void> {
  const paths = where === 'here' ? [path] : await work((session) => foldersBeside(session, path, signal))
  for (const folder of paths)
    for (const range of await work((session) => rangesOf(session, folder, limitMs, signal)))
      yield await work(async (session) => {
        await examine(session, folder, limitMs, signal)
        const found = await fetchMarks(session, { uid: range }, limitMs, signal)
        return found.map(({ key, intent, uid }) => ({ key, intent, ...receiptOf(`${folder}, UID ${uid}`) }))
      })
}

/** Its UIDs, as ranges. */
async function rangesOf(
  session: ImapSession,
  path: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { exists } = await examine(session, path, limitMs, signal)
  if (exists === 0) return []
  const found = await session.run('look', (client) => client.search({ all: true }, { uid: true }), signal, { limitMs })
  // A server that does not answer SEARCH is asked for all at once.
  if (!Array.isArray(found)) return ['1:*']
  const uids = found.toSorted((a, b) => a - b)
  const firsts = uids.filter((_, at) => at % ITEMS_AT_ONCE === 0)
  return firsts.map((first, at) => `${first}:${uids[(at + 1) * ITEMS_AT_ONCE - 1] ?? uids.at(-1) ?? first}`)
}

/** Does SEARCH find what is seen to be there? If none of our messages is there, nothing proves that the message is missing. */
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

async function examine(session: ImapSession, path: string, limitMs: number, signal: AbortSignal) {
  const options = { readOnly: true }
  const opened = await session.run('look', (client) => client.mailboxOpen(path, options), signal, { limitMs })
  return { exists: opened.exists, uidValidity: opened.uidValidity ?? null, uidNext: opened.uidNext ?? 0 }
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
