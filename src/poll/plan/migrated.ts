// The ledgers that `popfetch migrate` keeps of mailboxes that were given as URLs: where they are, which of them came to their end.
// What an account takes over of them is compare/take-over-migration.ts.
import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { stateFolder, usualStatePath } from '../../config/paths.ts'
import type { Account, Configuration } from '../../config/schema.ts'
import type { AccountIdentity } from '../../ledger/ledger.ts'
import { openLedger } from '../../ledger/sqlite/open.ts'

/** In AccountRecord.facts of a migration's own ledger: when it last came to its end. */
export const MIGRATED = 'migrated'
/** The ledgers of migrations: one for each mailbox and destination. `statePaths`: the ledgers that they lie beside. */
export async function migrationLedgers(statePaths: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const folder of foldersOf(statePaths)) found.push(...(await ledgersIn(folder)))
  return found
}

function foldersOf(statePaths: readonly string[]): ReadonlySet<string> {
  return new Set(statePaths.map((statePath) => path.join(stateFolder({ statePath }), 'migrations')))
}

async function ledgersIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => /^[0-9a-f]{24}\.db$/.test(name)).map((name) => path.join(folder, name))
}

/** A folder that was changed so shortly before it was read may have been changed again since, at what its file system calls the same
 *  time. */
const SAME_TIME_MS = 2000

/** The ledgers of finished migrations, as the polls of a process see them. */
export class Migrated {
  readonly #folders: ReadonlySet<string>
  /** By file, as long as it stays as it is: a first poll of ten thousand accounts is not to open each ten thousand times. */
  readonly #read = new Map<
    string,
    { readonly version: string; readonly mailboxes: Promise<readonly AccountIdentity[]> }
  >()

  /** By folder, likewise: most have none, and each idle poll of an empty mailbox asks. */
  readonly #files = new Map<string, { readonly version: string | null; readonly files: readonly string[] }>()

  constructor({ statePath }: Pick<Configuration, 'statePath'>, env: NodeJS.ProcessEnv) {
    this.#folders = foldersOf([statePath, ...usualOf(env)])
  }

  /** Those that know this mailbox. */
  async of(account: Account): Promise<readonly string[]> {
    const found: string[] = []
    for (const folder of this.#folders)
      for (const file of await this.#ledgersIn(folder))
        if ((await this.#mailboxes(file)).some((identity) => isOf(identity, account))) found.push(file)
    return found
  }

  async #ledgersIn(folder: string): Promise<readonly string[]> {
    const version = folderVersion(folder, Date.now())
    const known = this.#files.get(folder)
    if (version !== null && known?.version === version) return known.files
    const files = await ledgersIn(folder)
    this.#files.set(folder, { version, files })
    return files
  }

  #mailboxes(file: string): Promise<readonly AccountIdentity[]> {
    const version = versionOf(file)
    const known = this.#read.get(file)
    if (known?.version === version) return known.mailboxes
    // One that cannot be read is told when a migration uses it.
    const mailboxes = finishedIn(file).catch(() => [])
    this.#read.set(file, { version, mailboxes })
    return mailboxes
  }
}

/** Without a configuration a migration has its ledger beside the usual one. */
function usualOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    return [usualStatePath(env)]
  } catch {
    // A service may have no home.
    return []
  }
}

/** The same as long as no file came or went; null: nobody can tell. */
function folderVersion(folder: string, nowMs: number): string | null {
  try {
    const stats = statSync(folder, { throwIfNoEntry: false })
    if (stats === undefined) return 'none'
    return Math.abs(nowMs - stats.mtimeMs) < SAME_TIME_MS ? null : `${stats.ino} ${stats.mtimeMs}`
  } catch {
    return null
  }
}

function versionOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats === undefined ? '' : `${stats.mtimeMs} ${stats.size}`
}

async function finishedIn(file: string): Promise<readonly AccountIdentity[]> {
  await using ledger = await openLedger(file)
  return (await ledger.accounts()).flatMap(({ facts, identity }) => (facts[MIGRATED] === undefined ? [] : [identity]))
}

/** Is it the mailbox of this account? */
export function isOf(identity: AccountIdentity, { host, port, user }: Account): boolean {
  return identity.host.toLowerCase() === host.toLowerCase() && identity.port === port && identity.user === user
}
