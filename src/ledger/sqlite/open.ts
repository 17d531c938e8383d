// Opens the ledger's file: makes a new one, refuses what is not one, is damaged, newer or in a bad place. The ledger itself
// is sqlite-ledger.ts. One rule: whatever is wrong with a file that is there, it is never replaced by an empty one (S011).
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { display } from '../../display.ts'
import {
  BUSY_LIMIT_MS,
  LOCK_TIMEOUT_MS,
  asLedgerError,
  corrupt,
  damaged,
  ofAnotherProgram,
  refused,
  whenFree,
} from './rows/fault.ts'
import type { Ledger } from '../ledger.ts'
import { APPLICATION_ID, MIGRATIONS, migrate } from './schema/migrations.ts'
import {
  closeFile,
  create,
  fileSystemType,
  identityOf,
  inspect,
  openedAs,
  openFile,
  preparePlace,
  type FileSystemType,
} from './file.ts'
import { number, rowOf, text } from './rows/row.ts'
import { type Headers, keepHeaders } from './rows/headers.ts'
import { SqliteLedger } from './sqlite-ledger.ts'
import { fillIn, OlderFile } from './schema/older.ts'
import { refuseSetAside } from './schema/set-aside.ts'
import { readVersion } from './schema/version.ts'

export interface LedgerOptions {
  readonly nowMs?: () => number
  readonly random?: (bytes: number) => Buffer
  /** Nothing is made or changed; a ledger that is not there is an empty one. What would change something rejects. */
  readonly readOnly?: boolean
  readonly busyLimitMs?: number
  /** Of which messages From, Subject and Date are kept (`state.headers`); absent: of all. */
  readonly headers?: Headers
  readonly fileSystemType?: FileSystemType
}

/** Opens the ledger at `path`, making it and its directory if there is none. Rejects with ERR_LEDGER when it is not one,
 *  is damaged, newer than this popfetch, on a network file system, or cannot be written. Never starts afresh by itself. */
export async function openLedger(path: string, options: LedgerOptions = {}): Promise<Ledger> {
  // An embedding program may be plain JavaScript.
  if (typeof path !== 'string' || path === '')
    throw new TypeError('openLedger needs the path of the ledger, such as configuration.statePath')
  const { readOnly = false, fileSystemType: typeOf = fileSystemType, headers = 'all' } = options
  let database: DatabaseSync | null = null
  try {
    const place = await preparePlace(path, typeOf, readOnly)
    database = (await inspect(place, readOnly)) ? await connect(place, readOnly) : await connectNew(place, readOnly)
    const surroundings = { nowMs: Date.now, random: randomBytes, busyLimitMs: BUSY_LIMIT_MS, ...options, readOnly }
    keepHeaders(database, readOnly ? 'all' : headers)
    return new SqliteLedger(database, place, surroundings, async () => {
      const reopened = await reopen(path, typeOf, readOnly)
      keepHeaders(reopened, readOnly ? 'all' : headers)
      return reopened
    })
  } catch (thrown) {
    if (database !== null) closeFile(database)
    throw asLedgerError(path, damaged(path, thrown))
  }
}

/** It must be there: where a ledger was, none is made. */
async function reopen(path: string, typeOf: FileSystemType, readOnly: boolean): Promise<DatabaseSync> {
  try {
    const place = await preparePlace(path, typeOf, readOnly)
    if (!(await inspect(place, readOnly))) throw refused(path, 'it does not exist', 'put it back')
    return await connect(place, readOnly)
  } catch (thrown) {
    throw asLedgerError(path, damaged(path, thrown))
  }
}

/** A ledger whose last user was killed is checked when it is opened if it is at most this large (20 ms). A
 *  larger one tells of damage when the damaged page is read. */
const CHECK_LIMIT_BYTES = 8 * 1024 * 1024

async function connectNew(path: string, readOnly: boolean): Promise<DatabaseSync> {
  if (!readOnly) {
    await create(path)
    return connect(path, false)
  }
  const database = new DatabaseSync(':memory:')
  await migrate(database, path)
  return database
}

async function connect(path: string, readOnly: boolean, Kind = DatabaseSync): Promise<DatabaseSync> {
  const log = await stat(`${path}-wal`).catch(() => null)
  const database = openFile(path, { timeout: LOCK_TIMEOUT_MS, readOnly }, Kind)
  try {
    const id = await whenFree(path, () => number(rowOf(database.prepare('PRAGMA application_id'))?.[0]))
    if (id !== APPLICATION_ID) {
      throw ofAnotherProgram(path)
    }
    await whenFree(path, () => refuseSetAside(path, database))
    // A copy was put in its place while it was waited for.
    if (identityOf(path) !== openedAs(database)) {
      closeFile(database)
      if (!(await inspect(path, readOnly))) throw refused(path, 'it was deleted just now', 'put it back')
      return await connect(path, readOnly)
    }
    const isOlder = readOnly && (await whenFree(path, () => readVersion(database).steps)) < MIGRATIONS.length
    if (isOlder && !(database instanceof OlderFile)) {
      closeFile(database)
      return await connect(path, true, OlderFile)
    }
    if (!readOnly) await makeDurable(database, path)
    // Corrupt cells are then noticed when a page is read, and 8 MiB of cache hold the index of 100,000 messages.
    // What is removed or replaced is overwritten: a UIDL in which a secret stood is not to be read in the file (stand-in.ts).
    const safety = 'PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON'
    database.exec(`${safety}; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY`)
    // After temp_store, which empties the temporary schema.
    if (isOlder) await whenFree(path, () => fillIn(database))
    else await migrate(database, path)
    if (log !== null && log.size > 0 && (await stat(path)).size <= CHECK_LIMIT_BYTES) {
      const verdict = await whenFree(path, () => text(rowOf(database.prepare('PRAGMA quick_check(1)'))?.[0]))
      if (verdict !== 'ok') throw corrupt(path, `it is damaged (${display(verdict.split('\n').at(-1) ?? '')})`)
    }
    return database
  } catch (thrown) {
    if (database.isOpen) closeFile(database)
    throw thrown
  }
}

/** WAL stays set in the file, but a copy made with VACUUM INTO has lost it. */
async function makeDurable(database: DatabaseSync, path: string): Promise<void> {
  const mode = await whenFree(path, () => text(rowOf(database.prepare('PRAGMA journal_mode = WAL'))?.[0]))
  if (mode !== 'wal') {
    throw refused(path, 'its file system cannot share memory', 'choose a place on a local disk with state: or --state')
  }
  database.exec('PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216')
}
