// The ledger and what lies beside it: copies, log, socket, leases, spool, sign-ins, the ledgers of migrations.
import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { stateFolder, usualLogFile } from '../../../config/paths.ts'
import type { StatePlace } from '../../../config/state/place.ts'
import { type Postgres, postgresUrl, SCHEMA } from '../../../config/state/postgres.ts'
import { socketPath } from '../../../daemon/control/protocol.ts'
import { type Findings, type Found, joined, type Kept, NOTHING, removal, removedFile } from './found.ts'
import { namesIn, ownFolder } from './folders.ts'
import { readStart } from './read-start.ts'

const HEX = '[0-9a-f]'
const LEASES = new RegExp(`^${HEX}{32}$`)
const SIGN_INS = new RegExp(`^${HEX}{32}\\.(?:json|lock)(?:[.-][\\w.-]*)?$`)
const SPOOL = new RegExp(`^spool-(?:${HEX}{16}-\\d+-)?${HEX}{32}$`)
const MIGRATIONS = new RegExp(`^${HEX}{24}\\.db(?:[.-][\\w.-]*)?(?:/(?:${HEX}{32})?)?$`)
/** What a ledger's own name is followed by: SQLite's files, copies, drafts, what was told. */
const SUFFIX = /^(?:$|[-.][\w.-]+$)/
/** Never opened here: closing a descriptor of one would drop SQLite's locks. */
const OF_SQLITE: ReadonlySet<string> = new Set(['', '-wal', '-shm'])
/** Folders that popfetch has named. */
const OURS = new RegExp(`^(?:popfetch|postgres-${HEX}{16})$`)
/** A file of mail begins so (RFC 4155). */
const MBOX = 'From '

export async function stateFindings(
  { statePath }: Pick<StatePlace, 'statePath'>,
  { logFile, env }: { readonly logFile: string | null; readonly env: NodeJS.ProcessEnv },
): Promise<Findings> {
  const folder = stateFolder({ statePath })
  const names = (await namesIn(folder)).filter(
    (name) => name.startsWith(path.basename(statePath)) && SUFFIX.test(name.slice(path.basename(statePath).length)),
  )
  const beside = await Promise.all(names.map((name) => besideLedger(path.join(folder, name), statePath)))
  const elsewhere = await socketPath(statePath, env).catch(() => null)
  const isElsewhere = elsewhere !== null && path.dirname(elsewhere) !== folder && (await isThere(elsewhere))
  const parts = [
    await ownFolder('ledger', path.join(folder, 'oauth'), SIGN_INS, 'kept sign-ins: revoke them first'),
    ...beside,
    await ownFolder('ledger', path.join(folder, 'migrations'), MIGRATIONS, 'what migrations have moved'),
    await ownFolder('ledger', path.join(folder, 'spool'), SPOOL, 'messages on their way'),
    isElsewhere ? { found: [removedFile('ledger', elsewhere, 'the socket of the daemon')], kept: [] } : NOTHING,
    ...(await Promise.all(logFiles(logFile ?? usualLogFile({ statePath })).map(logFindings))),
  ]
  const all = joined(parts)
  return { ...all, found: [...all.found, ...(await emptied(folder, all))] }
}

/** What is in a database, for all machines. */
export function schemaFindings(postgres: Postgres): Findings {
  const { schema } = postgres
  const url = postgresUrl({ ...postgres, schema: SCHEMA, tls: false })
  const words = ['psql', url, '-c', `DROP SCHEMA ${schema} CASCADE`]
  const note =
    'of all machines: the record of what was delivered: without it, mail that is still on a server comes again'
  return { found: [removal('ledger', postgresUrl(postgres), words, note)], kept: [] }
}

/** The last: the folder itself, if it has popfetch's name. rmdir removes no folder in which something is left. */
async function emptied(folder: string, { found }: Findings): Promise<readonly Found[]> {
  if (!OURS.test(path.basename(folder)) || !(await isThere(folder))) return []
  const listed = new Set(found.map(({ what }) => what))
  const left = (await namesIn(folder)).filter((name) => !listed.has(path.join(folder, name)))
  return left.length === 0 ? [removal('ledger', folder, ['rmdir', '--', folder], 'empty then')] : []
}

async function besideLedger(file: string, statePath: string): Promise<Findings> {
  if (file === `${statePath}.leases`) return await ownFolder('ledger', file, LEASES, 'locks of running processes')
  const stats = await lstat(file).catch(() => null)
  if (stats === null) return NOTHING
  const kept = (why: string): Findings => ({ found: [], kept: [{ path: file, why }] })
  if (stats.isDirectory()) return kept('a folder that popfetch does not know')
  if (stats.isFile() && !OF_SQLITE.has(file.slice(statePath.length)) && (await readStart(file, MBOX.length)) === MBOX)
    return kept('it begins as a file of mail does')
  return { found: [removedFile('ledger', file, noteOf(file.slice(statePath.length)))], kept: [] }
}

function noteOf(suffix: string): string | null {
  if (suffix === '') return 'the record of what was delivered: without it, mail that is still on a server comes again'
  if (suffix.startsWith('.daily.')) return 'a copy of the ledger'
  if (suffix === '.accounts') return 'accounts that a program printed, with their passwords'
  if (suffix === '.notify') return 'who is told, with the secrets that are written under notify'
  if (suffix.startsWith('.before-')) return 'the ledger as it was before state restore or state repair'
  return null
}

function logFiles(file: string): readonly string[] {
  return [file, `${file}.1`]
}

async function logFindings(file: string): Promise<Findings> {
  return (await isThere(file)) ? { found: [removedFile('log', file)], kept: [] } : NOTHING
}

export async function isThere(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => null)) !== null
}

/** Where the accounts deliver: it is mail, and stays. */
export function mailIn(places: readonly string[]): readonly Kept[] {
  return [...new Set(places)].map((place) => ({ path: place, why: 'mail' }))
}
