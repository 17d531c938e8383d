// Puts a copy in the ledger's place (S047). The copy is looked through first, and gets the name in one step; the file before is
// kept beside it. One rule: nobody else has the ledger open meanwhile. SQLite tells: it leaves WAL, and removes the files that
// belong to it, only for whoever is alone. A damaged ledger cannot tell; then the locks of living processes do (S001).
import { randomBytes } from 'node:crypto'
import { link, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import {
  type BEFORE_REPAIR,
  BEFORE_RESTORE,
  closeFile,
  fileSystemType,
  openFile,
  preparePlace,
  syncUpwards,
  type FileSystemType,
} from './file.ts'
import { copyWhole } from './rows/whole-copy.ts'
import { isAnyAtWork } from './lease.ts'
import { APPLICATION_ID, MIGRATIONS } from './schema/migrations.ts'
import { asLedgerError, isBusy, LOCK_TIMEOUT_MS, whenFree } from './rows/fault.ts'
import { number, rowOf } from './rows/row.ts'
import { refuseSetAside } from './schema/set-aside.ts'
import { readVersion } from './schema/version.ts'

export interface Restored {
  /** The ledger's file. */
  readonly place: string
  /** What was there before; null: nothing. */
  readonly kept: string | null
  readonly accounts: number
  readonly messages: number
}

export interface RestoreOptions {
  readonly nowMs?: () => number
  readonly fileSystemType?: FileSystemType
  /** How long to wait for a popfetch that is just ending. */
  readonly busyLimitMs?: number
}

/** Makes the ledger at `path` what the copy in `file` is. Each account remembers the restore, so that its next poll asks before
 *  it sends messages again that the copy does not know. Rejects with ERR_LEDGER when `file` is no sound ledger or cannot be
 *  copied, with ERR_BUSY when a popfetch has the ledger open. Nothing is changed then. */
export async function restoreLedger(path: string, file: string, options: RestoreOptions = {}): Promise<Restored> {
  const { nowMs = Date.now, fileSystemType: typeOf = fileSystemType, busyLimitMs = 2000 } = options
  try {
    const place = await preparePlace(path, typeOf, false)
    await refuseItself(file, place)
    const counts = lookInto(file)
    const draft = `${place}.new-${randomBytes(8).toString('hex')}`
    try {
      await copyTo(draft, file, nowMs())
      const alone = await takeAlone(place, busyLimitMs, 'restoring')
      const kept = await replace(place, draft, BEFORE_RESTORE, nowMs(), alone)
      return { place, kept, ...counts }
    } finally {
      for (const suffix of ['', '-journal']) await rm(draft + suffix, { force: true })
    }
  } catch (thrown) {
    throw asLedgerError(path, thrown)
  }
}

async function refuseItself(file: string, place: string): Promise<void> {
  const found = await stat(file).catch((thrown: unknown) => {
    throw problem(file, errnoOf(thrown) === 'ENOENT' ? 'there is no such file' : wordsOf(thrown), thrown)
  })
  if (!found.isFile()) throw problem(file, 'it is not a file')
  const own = await stat(place).catch(() => null)
  if (own !== null && own.ino === found.ino && own.dev === found.dev) throw problem(file, 'it is the ledger itself')
}

function lookInto(file: string): { readonly accounts: number; readonly messages: number } {
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: LOCK_TIMEOUT_MS })
    const id = number(rowOf(database.prepare('PRAGMA application_id'))?.[0])
    if (id !== APPLICATION_ID) throw problem(file, 'it is not a popfetch ledger')
    refuseSetAside(file, database)
    const { steps, oldest } = readVersion(database)
    const known = MIGRATIONS.length
    if (oldest > known) {
      throw problem(file, `a newer popfetch has written it (schema ${steps}, this one knows ${known}): update popfetch`)
    }
    const row = rowOf(database.prepare('SELECT count(*), coalesce(sum(known), 0) FROM account'))
    return { accounts: number(row?.[0]), messages: number(row?.[1]) }
  } catch (thrown) {
    throw thrown instanceof PopfetchError ? thrown : problem(file, wordsOf(thrown), thrown)
  } finally {
    database?.close()
  }
}

/** A whole and durable copy, which belongs to nobody and knows what it is. */
async function copyTo(draft: string, file: string, nowMs: number): Promise<void> {
  const copy = await open(draft, 'wx', 0o600)
  try {
    await copyWhole(file, draft, { sound: true })
  } catch (thrown) {
    throw problem(file, wordsOf(thrown), thrown)
  } finally {
    // Before SQLite has it: closing it later would drop SQLite's lock.
    await copy.close()
  }
  const database = new DatabaseSync(draft)
  try {
    database.exec('PRAGMA synchronous = FULL; DELETE FROM lease')
    if (readVersion(database).steps > 1) database.exec('UPDATE account SET mark_digest = NULL, mark_due_ms = NULL')
    database.prepare("UPDATE account SET facts = json_set(facts, '$.restored', ?)").run(String(nowMs))
  } finally {
    database.close()
  }
  const durable = await open(draft, 'r+')
  try {
    await durable.sync()
  } finally {
    await durable.close()
  }
}

/** Gives `draft` the ledger's name, and closes `alone`, what takeAlone gave. Gives the name of what was there before, which
 *  `before` is in; null: nothing was. */
export async function replace(
  place: string,
  draft: string,
  before: typeof BEFORE_RESTORE | typeof BEFORE_REPAIR,
  nowMs: number,
  alone: DatabaseSync | null,
): Promise<string | null> {
  const found = await stat(place).catch(() => null)
  const kept = `${place}${before}${new Date(nowMs).toISOString().replaceAll(/[-:.]/g, '')}-${randomBytes(2).toString('hex')}`
  try {
    if (found !== null) await linkOrRename(place, kept)
    // What belongs to a file that is gone or damaged. A log that stays would be replayed into the new one.
    await rename(`${place}-wal`, `${kept}-wal`).catch(unlessMissing)
    await rm(`${place}-shm`, { force: true })
    await rename(draft, place)
    await syncUpwards(dirname(place), dirname(place))
  } finally {
    if (alone !== null) closeFile(alone)
  }
  return found === null ? null : kept
}

/** Until it is closed nobody else can open the ledger. Null: it is damaged or not there, and no living process has it. Rejects with
 *  ERR_BUSY. `doing`: for the text. */
export async function takeAlone(place: string, busyLimitMs: number, doing: string): Promise<DatabaseSync | null> {
  if ((await stat(place).catch(() => null)) === null) return null
  let database: DatabaseSync | null = null
  try {
    const opened = openFile(place, { timeout: LOCK_TIMEOUT_MS, readOnly: false })
    database = opened
    await whenFree(place, () => opened.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE'), busyLimitMs)
    return opened
  } catch (thrown) {
    if (database !== null) closeFile(database)
    const cause = thrown instanceof PopfetchError ? thrown.cause : thrown
    if (isBusy(cause) || isAnyAtWork(`${place}.leases`)) throw atWork(place, doing)
    return null
  }
}

async function linkOrRename(place: string, kept: string): Promise<void> {
  try {
    await link(place, kept)
  } catch (thrown) {
    const errno = errnoOf(thrown)
    // No hard links (FAT, some FUSE): for a moment there is none of this name.
    if (errno !== 'EPERM' && errno !== 'ENOTSUP' && errno !== 'ENOSYS' && errno !== 'EMLINK') throw thrown
    await rename(place, kept)
  }
}

function unlessMissing(thrown: unknown): void {
  if (errnoOf(thrown) !== 'ENOENT') throw thrown
}

function atWork(place: string, doing: string): PopfetchError {
  const message = `${doing} the ledger ${display(place, 4096)}: a popfetch has it open: stop it (popfetch stop), or wait until it is done`
  return new PopfetchError('ERR_BUSY', message, { scope: 'process', retry: 'soon' })
}

function problem(file: string, what: string, cause?: unknown): PopfetchError {
  const message = `cannot restore the ledger from ${display(file, 4096)}: ${what}: nothing was changed`
  return new PopfetchError('ERR_LEDGER', message, { scope: 'process', retry: 'never', cause })
}

function wordsOf(thrown: unknown): string {
  return display(thrown instanceof Error ? thrown.message : String(thrown))
}
