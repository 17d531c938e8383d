// Finds what became of interrupted deliveries (DESIGN 4.3, K5) by the intent in the names in tmp/, new/ and cur/, also
// after a reader added flags. One walk through the folders serves all recalls of a poll; of the newest files it keeps the
// names, of the others eight bytes. One rule: what is reported as there is durable.
import { errnoOf } from '../../errors.ts'
import type { FileSystem } from '../disk/filesystem.ts'
import { syncDirectory, type Folders } from './folders.ts'
import { intentOf } from './name.ts'

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
