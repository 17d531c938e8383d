// Puts what can be read of a damaged ledger in its place (DESIGN 2, `state repair`): salvage.ts makes the new file, and this swaps
// the two. One rule: nobody else has the ledger open meanwhile, and nothing is changed before the new file is whole and durable.
// The damaged one is kept beside it.
import { randomBytes } from 'node:crypto'
import { closeSync, constants, openSync } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import { BEFORE_REPAIR, closeFile, fileSystemType, preparePlace, type FileSystemType } from '../file.ts'
import { MIGRATIONS } from '../schema/migrations.ts'
import { replace, takeAlone } from '../restore.ts'
import { asLedgerError, newerLedger, noLedger, refused } from '../rows/fault.ts'
import { versionOf } from '../schema/version.ts'
import { checkLedger } from './check.ts'
import { openPages, type Pages } from './pages.ts'
import { salvage, type Salvaged } from './salvage.ts'

export { checkLedger, type Soundness } from './check.ts'
export { copiesBeside } from '../backup.ts'
export type { Loss } from './salvage.ts'

export interface Repaired extends Salvaged {
  /** The ledger's file. */
  readonly place: string
  /** The damaged file. */
  readonly kept: string
}

export interface RepairOptions {
  readonly nowMs?: () => number
  readonly fileSystemType?: FileSystemType
  /** How long to wait for a popfetch that is just ending. */
  readonly busyLimitMs?: number
}

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')
const USER_VERSION_AT = 60
/** Of a damaged file any number may stand there: a higher one was not written by anybody. */
const MOST_STEPS = 1000

/** Null: the ledger is sound, nothing was done. Rejects with ERR_LEDGER when nothing can be saved, with ERR_BUSY when a popfetch has
 *  the ledger open; nothing is changed then. */
export async function repairLedger(path: string, options: RepairOptions = {}): Promise<Repaired | null> {
  const { nowMs = Date.now, fileSystemType: typeOf = fileSystemType, busyLimitMs = 2000 } = options
  try {
    const place = await preparePlace(path, typeOf, false)
    if ((await stat(place).catch(() => null)) === null)
      throw refused(path, 'there is none', 'put a copy of it in its place with popfetch state restore FILE')
    if (await isSound(place)) return null
    let alone: DatabaseSync | null = await takeAlone(place, busyLimitMs, 'repairing')
    const draft = `${place}.new-${randomBytes(8).toString('hex')}`
    // Closed last: a POSIX lock is lost when its process closes any descriptor of the file.
    const opened = openBoth(place)
    try {
      refuseStrangers(path, opened.pages)
      const saved = await saveInto(draft, opened.pages, nowMs())
      if (saved.accounts + saved.messages === 0) throw nothingSaved(path)
      const kept = await replace(place, draft, BEFORE_REPAIR, nowMs(), alone)
      alone = null
      return { place, kept: kept ?? place, ...saved }
    } finally {
      if (alone !== null) closeFile(alone)
      for (const file of opened.files) closeSync(file)
      for (const suffix of ['', '-journal']) await rm(draft + suffix, { force: true })
    }
  } catch (thrown) {
    throw asLedgerError(path, thrown)
  }
}

async function isSound(place: string): Promise<boolean> {
  try {
    return (await checkLedger(place)).faults.length === 0
  } catch (thrown) {
    if (thrown instanceof PopfetchError && thrown.retry !== 'never') throw thrown
    return false
  }
}

interface Opened {
  readonly files: readonly number[]
  readonly pages: Pages
}

function openBoth(place: string): Opened {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const file = openSync(place, flags)
  let log: number | null = null
  try {
    log = openSync(`${place}-wal`, flags)
  } catch {
    // There is none.
  }
  return { files: log === null ? [file] : [file, log], pages: openPages(file, log) }
}

/** A file of another program is not taken apart, nor one of a later version, whose rows may mean something else. */
function refuseStrangers(path: string, pages: Pages): void {
  const first = pages.page(1)
  if (first === null) throw noLedger(path)
  const isIntact = first.subarray(0, MAGIC.length).equals(MAGIC)
  const { steps } = versionOf(first.readUInt32BE(USER_VERSION_AT))
  if (isIntact && steps > MIGRATIONS.length && steps < MOST_STEPS) throw newerLedger(path, steps, MIGRATIONS.length)
}

async function saveInto(draft: string, pages: Pages, nowMs: number): Promise<Salvaged> {
  await (await open(draft, 'wx', 0o600)).close()
  const saved = await salvage(pages, draft, nowMs)
  const durable = await open(draft, 'r+')
  try {
    await durable.sync()
  } finally {
    await durable.close()
  }
  return saved
}

function nothingSaved(path: string): PopfetchError {
  const message = `repairing the ledger ${display(path, 4096)}: nothing in it can be read any more: nothing was changed. Put a copy in its place with popfetch state restore FILE, or move it away to start over (mail still on the servers is then fetched again)`
  return new PopfetchError('ERR_LEDGER', message, { scope: 'process', retry: 'never' })
}
