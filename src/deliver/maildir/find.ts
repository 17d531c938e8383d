// Finds messages in a Maildir by their names: interrupted deliveries (DESIGN 4.3, K5), messages from before this ledger, and
// messages that a migration reads again (S024). A reader may have moved a file to cur/ or added flags since. One rule: a file
// that is reported as delivered is durable.
import { errnoOf } from '../../errors.ts'
import type { Origin } from '../../message.ts'
import type { Attempt, Recollection, Standing } from '../destination.ts'
import { type FileSystem, syncDirectory } from '../disk/filesystem.ts'
import { receiptText } from './file.ts'
import type { Folders } from './folders.ts'
import { intentOf, messageKey, ownName } from './name.ts'
import { readBack } from './read-back.ts'

/** What a crash cut off is among the newest; 20,000 names are 4 MB, and a folder may hold a million. */
const KEPT_NAMES = 20_000

interface Entry {
  readonly intent: string
  readonly folder: string
  readonly name: string
}

export class MaildirRecall {
  readonly #fileSystem: FileSystem
  readonly #folders: Folders
  #walk: Promise<void> | null = null
  /** The first 52 bits of every intent that was seen. */
  #seen = new Float64Array(0)
  #newest = new Map<string, Entry>()
  /** What stands in tmp/, by intent: few. */
  readonly #unfinished = new Map<string, string>()
  readonly #durable = new Map<string, Promise<void>>()

  constructor(fileSystem: FileSystem, folders: Folders) {
    this.#fileSystem = fileSystem
    this.#folders = folders
  }

  /** The durable file of an earlier attempt; null: there is none, and nothing of it is left in tmp/. Rejects with what
   *  the system said. */
  async find(intent: string): Promise<string | null> {
    this.#walk ??= this.#look()
    await this.#walk
    const unfinished = this.#unfinished.get(intent)
    if (unfinished !== undefined) await this.#remove(unfinished)
    const known = this.#newest.get(intent)
    const entry = known ?? (this.#seen.includes(markOf(intent)) ? await this.#search(intent) : undefined)
    if (entry === undefined) return null
    let durable = this.#durable.get(entry.folder)
    if (durable === undefined) {
      durable = syncDirectory(this.#fileSystem, entry.folder)
      this.#durable.set(entry.folder, durable)
      durable.catch(() => this.#durable.delete(entry.folder))
    }
    await durable
    return `${entry.folder}/${entry.name}`
  }

  async #look(): Promise<void> {
    const seen: number[] = []
    let newest: Entry[] = []
    for await (const entry of this.#entries()) {
      if (entry.folder === this.#folders.tmp) {
        this.#unfinished.set(entry.intent, `${entry.folder}/${entry.name}`)
        continue
      }
      seen.push(markOf(entry.intent))
      newest.push(entry)
      if (newest.length > 2 * KEPT_NAMES) newest = newestOf(newest)
    }
    this.#seen = Float64Array.from(seen)
    this.#newest = new Map(newestOf(newest).map((entry) => [entry.intent, entry]))
  }

  /** For an old file, walks once more. */
  async #search(intent: string): Promise<Entry | undefined> {
    let found: Entry | undefined
    for await (const entry of this.#entries()) {
      if (entry.intent === intent && entry.folder !== this.#folders.tmp) found = entry
    }
    return found
  }

  /** In the order in which a file moves, so that one that moves meanwhile is met at least once. */
  async *#entries(): AsyncIterable<Entry> {
    const { tmp, new: fresh, cur } = this.#folders
    for (const folder of [tmp, fresh, cur]) {
      for await (const names of this.#fileSystem.names(folder)) {
        for (const name of names) {
          const intent = intentOf(name)
          if (intent !== null) yield { intent, folder, name }
        }
      }
    }
  }

  async #remove(file: string): Promise<void> {
    try {
      await this.#fileSystem.unlink(file)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
}

/** The order of those that stay is kept. */
function newestOf(entries: Entry[]): Entry[] {
  if (entries.length <= KEPT_NAMES) return entries
  const seconds = entries.map((entry) => Number.parseInt(entry.name, 10)).sort((a, b) => b - a)
  const oldest = seconds[KEPT_NAMES - 1] ?? 0
  return entries.filter((entry) => Number.parseInt(entry.name, 10) >= oldest).slice(0, KEPT_NAMES)
}

function markOf(intent: string): number {
  return Number.parseInt(intent.slice(0, 13), 16)
}

/** In the order of `origins`; null: it does not stand there. Rejects with what the system said. */
export async function census(
  fileSystem: FileSystem,
  folders: Folders,
  origins: readonly Origin[],
): Promise<readonly (Standing | null)[]> {
  let keys: readonly string[] | null = null
  const wanted = new Map<string, Standing | null>()
  // In the order in which a file moves, so that one that moves meanwhile is met at least once.
  for (const folder of [folders.new, folders.cur]) {
    for await (const names of fileSystem.names(folder)) {
      for (const name of names) {
        const own = ownName(name)
        if (own === null) continue
        if (keys === null) {
          // Only now: most Maildirs hold nothing of ours, and a key is a hash.
          keys = origins.map(messageKey)
          for (const key of keys) wanted.set(key, null)
        }
        if (!wanted.has(own.key)) continue
        wanted.set(own.key, { intent: own.intent, fileBytes: own.fileBytes, text: receiptText(`${folder}/${name}`) })
      }
    }
  }
  return origins.map((_, at) => wanted.get(keys?.[at] ?? '') ?? null)
}

export interface Rereading {
  readonly fileSystem: FileSystem
  readonly folders: Folders
  readonly formOf: (attempt: Attempt) => { readonly lineEndings: 'crlf' | 'lf'; readonly prefix: Buffer }
  /** The same work with an end, though a file server hangs; `bytes`: how much there is to read. */
  readonly limited: <T>(work: Promise<T>, bytes: number) => Promise<T>
}

interface StandingFile {
  readonly path: string
  readonly fileBytes: number
}

/** Enough for a disk to put in order. */
const READ_AT_ONCE = 8

/** In the order of `attempts`; null: nothing stands there. */
export async function reread(
  attempts: readonly Attempt[],
  context: Rereading,
): Promise<readonly (Recollection | null)[]> {
  const found = await readThose(attempts, context)
  // A reader moves a file when it gives it flags, perhaps between our walk and our reading: then it is found the second time.
  const missed = attempts.filter((_, at) => (found[at] ?? null) === null || found[at]?.received === null)
  if (missed.length === 0) return found
  const again = new Map((await readThose(missed, context)).map((one, at) => [missed[at]?.intent, one]))
  return attempts.map(({ intent }, at) => again.get(intent) ?? found[at] ?? null)
}

async function readThose(
  attempts: readonly Attempt[],
  { fileSystem, folders, formOf, limited }: Rereading,
): Promise<readonly (Recollection | null)[]> {
  const intents = new Set(attempts.map(({ intent }) => intent))
  const files = await limited(standing(fileSystem, folders, intents), 0)
  const one = async (attempt: Attempt): Promise<Recollection | null> => {
    const file = files.get(attempt.intent)
    if (file === undefined) return null
    const received = await limited(readBack(fileSystem, file.path, formOf(attempt)), file.fileBytes)
    return { text: receiptText(file.path), received }
  }
  const found: (Recollection | null)[] = []
  for (let at = 0; at < attempts.length; at += READ_AT_ONCE) {
    found.push(...(await Promise.all(attempts.slice(at, at + READ_AT_ONCE).map(one))))
  }
  return found
}

async function standing(
  fileSystem: FileSystem,
  folders: Folders,
  intents: ReadonlySet<string>,
): Promise<ReadonlyMap<string, StandingFile>> {
  const found = new Map<string, StandingFile>()
  // In the order in which a file moves, so that one that moves meanwhile is met at least once.
  for (const folder of [folders.new, folders.cur]) {
    for await (const names of fileSystem.names(folder)) {
      for (const name of names) {
        const own = ownName(name)
        if (own === null || !intents.has(own.intent)) continue
        found.set(own.intent, { path: `${folder}/${name}`, fileBytes: own.fileBytes ?? 0 })
      }
    }
  }
  return found
}
