// Copies of the ledger while it is in use (S015). One that a person asks for, and two from the last days beside it, of which
// `.daily.1` is the newer. VACUUM INTO is one statement that takes seconds for a large ledger, so it runs on a thread of its own.
// One rule: a copy gets its name when it is whole and durable; that of a person never takes the name of another file.
import { randomBytes } from 'node:crypto'
import { link, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'
import { boundCopies } from './copies.ts'
import { copyWhole } from './rows/whole-copy.ts'
import { refused } from './rows/fault.ts'
import { number, rowOf } from './rows/row.ts'
import { syncUpwards } from './file.ts'

/** Copies the ledger at `path` to `file`; see Records.backup. */
export async function backup(path: string, file: string): Promise<void> {
  if ((await statOrNull(path)) === null) {
    throw refused(path, 'it does not exist', 'poll once, or choose the right one with state: or --state')
  }
  if ((await statOrNull(file)) !== null) throw exists(file)
  const draft = `${file}.new-${randomBytes(8).toString('hex')}`
  try {
    const copy = await open(draft, 'wx', 0o600)
    try {
      await copyWhole(path, draft, { sound: false })
      await copy.sync()
    } finally {
      await copy.close()
    }
    await appear(draft, file)
  } catch (thrown) {
    throw thrown instanceof PopfetchError ? thrown : failed(file, thrown)
  } finally {
    await rm(draft, { force: true })
  }
}

async function appear(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file)
  } catch (thrown) {
    const errno = errnoOf(thrown)
    if (errno === 'EEXIST') throw exists(file)
    // No hard links (FAT, some FUSE): the window between the look and the rename is left open there.
    if (errno !== 'EPERM' && errno !== 'ENOTSUP' && errno !== 'ENOSYS' && errno !== 'EMLINK') throw thrown
    if ((await statOrNull(file)) !== null) throw exists(file)
    await rename(draft, file)
  }
  await syncUpwards(dirname(file), dirname(file))
}

function statOrNull(path: string) {
  return stat(path).catch((thrown: unknown) => {
    if (errnoOf(thrown) === 'ENOENT') return null
    throw failed(path, thrown)
  })
}

function exists(file: string): PopfetchError {
  return problem(file, 'a file of this name already exists: use another name')
}

function failed(file: string, thrown: unknown): PopfetchError {
  const said = display(thrown instanceof Error ? thrown.message : String(thrown))
  return problem(file, `${said}: check the directory and its disk`, thrown)
}

function problem(file: string, what: string, cause?: unknown): PopfetchError {
  const message = `cannot write the backup ${display(file, 4096)}: ${what}`
  return new PopfetchError('ERR_LEDGER', message, { scope: 'process', retry: 'never', cause })
}

// Daily copies. Only a sound ledger is copied, and only where the disk has room to spare. A copy that knows far more messages than the
// ledger does now is kept for a month: perhaps the ledger was lost and began anew.
const HOUR_MS = 3_600_000
/** A little less than a day: a daily cron job may start somewhat earlier than it did the day before. */
const EVERY_MS = 20 * HOUR_MS
const MONTH_MS = 30 * 24 * HOUR_MS
/** A ledger that has fewer than half of the messages, and these, is no longer the same. */
const FAR_FEWER = 20

/** The copies of the ledger at `path` that are there, the newest first. */
export async function copiesBeside(path: string): Promise<readonly string[]> {
  const found = await Promise.all([1, 2].map((at) => stat(nameOf(path, at)).catch(() => null)))
  return [1, 2].filter((_, at) => found[at]?.isFile() === true).map((at) => nameOf(path, at))
}

function nameOf(path: string, at: number): string {
  return `${path}.daily.${at}`
}

/** When the next copy is due. `triedMs`: when the last one was begun; null: never, then a day from now. A clock that was ahead says
 *  nothing. */
export async function copyDueMs(path: string, triedMs: number | null, nowMs: number): Promise<number> {
  const newest = await stat(nameOf(path, 1)).catch(() => null)
  const isPast = (ms: number): boolean => ms <= nowMs + HOUR_MS
  if (newest !== null && isPast(newest.mtimeMs)) {
    const againMs = triedMs !== null && isPast(triedMs) ? triedMs + HOUR_MS : 0
    return Math.max(newest.mtimeMs + EVERY_MS, againMs)
  }
  if (newest !== null) return nowMs
  return (triedMs !== null && isPast(triedMs) ? triedMs : nowMs) + EVERY_MS
}

/** False: the disk is short. `keepFree`: how many bytes are to stay free of a file system of so many. Rejects where the ledger is
 *  damaged, or the copy cannot be written; nothing is left behind then, and older copies stay. */
export async function copyNow(path: string, nowMs: number, keepFree: (bytes: number) => number): Promise<boolean> {
  const bytes = (await sizeOf(path)) + (await sizeOf(`${path}-wal`))
  const { bavail, blocks, bsize } = await statfs(dirname(path))
  if (blocks > 0 && bavail * bsize - bytes < keepFree(blocks * bsize)) return false
  await sweep(path, nowMs)
  const draft = `${path}.new-${randomBytes(8).toString('hex')}`
  try {
    const copy = await open(draft, 'wx', 0o600)
    try {
      await copyWhole(path, draft, { sound: true })
      await copy.sync()
    } finally {
      await copy.close()
    }
    if (await maySupersede(path, nowMs)) await rename(nameOf(path, 1), nameOf(path, 2)).catch(() => {})
    await rename(draft, nameOf(path, 1))
    await syncUpwards(dirname(path), dirname(path))
    return true
  } finally {
    await rm(draft, { force: true })
  }
}

/** Drafts that killed processes left, and old files from before a restore or a repair. */
async function sweep(path: string, nowMs: number): Promise<void> {
  await boundCopies(path, nowMs)
  const directory = dirname(path)
  const drafts = (await readdir(directory)).filter((name) => name.startsWith(`${basename(path)}.new-`))
  for (const draft of drafts) {
    const file = join(directory, draft)
    const found = await stat(file).catch(() => null)
    if (found?.isFile() === true && nowMs - found.mtimeMs > EVERY_MS) await rm(file, { force: true })
  }
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0
}

/** May the first copy take the place of the second? */
async function maySupersede(path: string, nowMs: number): Promise<boolean> {
  const second = await stat(nameOf(path, 2)).catch(() => null)
  if (second === null || nowMs - second.mtimeMs > MONTH_MS || second.mtimeMs > nowMs + HOUR_MS) return true
  return messagesIn(nameOf(path, 2)) <= 2 * messagesIn(nameOf(path, 1)) + FAR_FEWER
}

/** By the counts of accounts: quick, however many there are. */
function messagesIn(file: string): number {
  let database: DatabaseSync | null = null
  try {
    database = new DatabaseSync(file, { readOnly: true })
    return number(rowOf(database.prepare('SELECT coalesce(sum(known), 0) FROM account'))?.[0])
  } catch {
    return 0
  } finally {
    database?.close()
  }
}
