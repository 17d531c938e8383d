// Finds our messages in a Maildir by their names (DESIGN 4.3): interrupted deliveries (K5), messages from before this
// ledger, messages that a migration reads again. A reader may have moved a file to cur/ or added flags since. One rule: an
// interrupted delivery is reported as done only once its file is durable.
import { errnoOf } from '../../errors.ts'
import { type Origins, receiptOf, type Standing } from '../destination.ts'
import { type FileSystem, syncDirectory } from '../disk/filesystem.ts'
import type { Folders } from './folders.ts'
import { messageKey } from '../message-key.ts'
import { keyIn, type OwnName, ownName } from './name.ts'

/** A file that popfetch put there. */
export interface OwnFile extends OwnName {
  readonly folder: string
  readonly name: string
}

/** Our files in these folders. A file moves from tmp/ to new/ to cur/: asked in that order, a file that moves meanwhile is
 *  met at least once. Throws what the system says. */
export async function* ownFiles(
  fileSystem: FileSystem,
  folders: readonly string[],
): AsyncGenerator<OwnFile, void, void> {
  for (const folder of folders) {
    for await (const names of fileSystem.names(folder)) {
      for (const name of names) {
        const own = ownName(name)
        if (own !== null) yield { ...own, folder, name }
      }
    }
  }
}

/** A crash interrupts only the newest. 20,000 names take 4 MB, and a folder may hold a million. */
const KEPT_NAMES = 20_000

/** Interrupted deliveries of one poll. One walk through the folders serves all of them: it keeps the newest names, and
 *  eight bytes of each other file. */
export class InterruptedDeliveries {
  readonly #fileSystem: FileSystem
  readonly #folders: Folders
  #walk: Promise<void> | null = null
  /** The first 52 bits of every intent that was seen, in order. */
  #seen = new Float64Array(0)
  readonly #newest = new Map<string, OwnFile>()
  /** The few files in tmp/, by intent. */
  readonly #unfinished = new Map<string, string>()
  readonly #durable = new Map<string, Promise<void>>()

  constructor(fileSystem: FileSystem, folders: Folders) {
    this.#fileSystem = fileSystem
    this.#folders = folders
  }

  /** The durable file of an earlier attempt. null: there is none, and nothing of it is left in tmp/. Rejects with what the
   *  system says. */
  async find(intent: string): Promise<string | null> {
    this.#walk ??= this.#look()
    await this.#walk
    const unfinished = this.#unfinished.get(intent)
    if (unfinished !== undefined) await this.#remove(unfinished)
    const known = this.#newest.get(intent)
    const file = known ?? (includes(this.#seen, markOf(intent)) ? await this.#findOld(intent) : undefined)
    if (file === undefined) return null
    let durable = this.#durable.get(file.folder)
    if (durable === undefined) {
      durable = syncDirectory(this.#fileSystem, file.folder)
      this.#durable.set(file.folder, durable)
      durable.catch(() => this.#durable.delete(file.folder))
    }
    await durable
    return pathOf(file)
  }

  /** Looks until a look finds nothing more: a reader that renames a file meanwhile can hide it from one (S038). */
  async #look(): Promise<void> {
    while ((await this.#lookOnce()) > 0);
  }

  /** How many files it found that no look found before. */
  async #lookOnce(): Promise<number> {
    const { tmp, new: fresh, cur } = this.#folders
    const found: number[] = []
    let newest: OwnFile[] = []
    for await (const file of ownFiles(this.#fileSystem, [tmp, fresh, cur])) {
      if (file.folder === tmp) {
        this.#unfinished.set(file.intent, pathOf(file))
        continue
      }
      const mark = markOf(file.intent)
      if (!includes(this.#seen, mark)) found.push(mark)
      newest.push(file)
      if (newest.length > 2 * KEPT_NAMES) newest = newestOf(newest)
    }
    // A file that was renamed meanwhile has its newer name last.
    for (const file of newestOf(newest)) this.#newest.set(file.intent, file)
    if (found.length > 0) this.#seen = Float64Array.from([...this.#seen, ...found]).sort()
    return found.length
  }

  /** Walks once more, for a file whose name was not kept. */
  async #findOld(intent: string): Promise<OwnFile | undefined> {
    return (await deliveredFiles(this.#fileSystem, this.#folders, new Set([intent]))).get(intent)
  }

  async #remove(file: string): Promise<void> {
    try {
      await this.#fileSystem.unlink(file)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
}

/** Keeps their order. */
function newestOf(files: OwnFile[]): OwnFile[] {
  if (files.length <= KEPT_NAMES) return files
  const seconds = files.map(({ name }) => Number.parseInt(name, 10)).sort((a, b) => b - a)
  const oldest = seconds[KEPT_NAMES - 1] ?? 0
  return files.filter(({ name }) => Number.parseInt(name, 10) >= oldest).slice(0, KEPT_NAMES)
}

/** In numbers that are in order. */
function includes(sorted: Float64Array, wanted: number): boolean {
  let from = 0
  for (let to = sorted.length; from < to;) {
    const middle = (from + to) >>> 1
    if ((sorted[middle] ?? 0) < wanted) from = middle + 1
    else to = middle
  }
  return sorted[from] === wanted
}

function markOf(intent: string): number {
  return Number.parseInt(intent.slice(0, 13), 16)
}

export function pathOf({ folder, name }: OwnFile): string {
  return `${folder}/${name}`
}

/** The files in new/ and cur/ that these attempts put there, by intent. Rejects with what the system says. */
export async function deliveredFiles(
  fileSystem: FileSystem,
  { new: fresh, cur }: Folders,
  intents: ReadonlySet<string>,
): Promise<ReadonlyMap<string, OwnFile>> {
  const found = new Map<string, OwnFile>()
  for await (const file of ownFiles(fileSystem, [fresh, cur]))
    if (intents.has(file.intent)) found.set(file.intent, file)
  return found
}

/** Which of these messages are in new/ or cur/, in the order of `origins`; null for those that are not. The names alone
 *  tell. Looks until a look finds nothing more (S038). Rejects with what the system says. */
export async function census(
  fileSystem: FileSystem,
  folders: Folders,
  origins: Origins,
): Promise<readonly (Standing | null)[]> {
  let keys: readonly string[] = []
  const found = new Map<string, Standing | null>()
  const look = async (): Promise<number> => {
    let more = 0
    const take = (folder: string, name: string): void => {
      // Most files are of other messages, and those of many accounts are looked through by each.
      if (found.size > 0 && !found.has(keyIn(name))) return
      const own = ownName(name)
      if (own === null) return
      if (found.size === 0) {
        // Not before: most Maildirs have no file of ours, and a key is a hash.
        keys = origins.map(messageKey)
        for (const key of keys) found.set(key, null)
      }
      const { key, intent, fileBytes, atMs } = own
      const before = found.get(key)
      if (before === undefined) return
      if (before === null) more++
      // Of several files the newest tells most.
      if (before === null || (before.atMs ?? 0) <= atMs)
        found.set(key, { intent, fileBytes, atMs, ...receiptOf(pathOf({ ...own, folder, name })) })
    }
    for (const folder of [folders.new, folders.cur])
      for await (const names of fileSystem.names(folder)) for (const name of names) take(folder, name)
    return more
  }
  for (let more = 1, missing = origins.length; more > 0 && missing > 0; missing -= more) more = await look()
  if (found.size === 0) return Array.from({ length: origins.length }, () => null)
  return keys.map((key) => found.get(key) ?? null)
}
