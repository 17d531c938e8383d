// Takes away from a ledger what no popfetch needs any more (DESIGN 4, `state upgrade`). Steps that add are taken by whoever opens a
// ledger; older versions go on after them. These do not, so a person asks for it. One rule: nobody else has the ledger open
// meanwhile, a copy that older versions can work on is kept beside it, and all of it is done, or nothing.
import { stat } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import { closeFile, fileSystemType, openFile, preparePlace } from '../file.ts'
import { openLedger } from '../open.ts'
import { takeAlone } from '../restore.ts'
import { asLedgerError, corrupt, damaged, LOCK_TIMEOUT_MS, refused, whenFree } from '../rows/fault.ts'
import { copyBefore, keepCopy, REMOVALS, type Removal } from '../schema/migrations.ts'
import { readVersion, userVersionOf, type Version } from '../schema/version.ts'

export interface Upgraded extends Version {
  /** The ledger's file. */
  readonly place: string
  /** The file for going back; null: nothing was taken away. */
  readonly kept: string | null
}

export interface UpgradeOptions {
  readonly removals?: readonly Removal[]
  /** How long to wait for a popfetch that is just ending. */
  readonly busyLimitMs?: number
}

/** Brings the ledger at `path` to the last step, and takes away what that does without. Rejects with ERR_LEDGER, and with ERR_BUSY
 *  while a popfetch has the ledger open and something is to be taken away; nothing is taken away then. */
export async function upgradeLedger(path: string, options: UpgradeOptions = {}): Promise<Upgraded> {
  const { removals = REMOVALS, busyLimitMs = 2000 } = options
  try {
    const place = await preparePlace(path, fileSystemType, true)
    if ((await stat(place).catch(() => null)) === null)
      throw refused(path, 'there is none', 'poll once, or choose the right one with state: or --state')
    // Takes the steps that add, and refuses what is damaged, newer or no ledger.
    await (await openLedger(path))[Symbol.asyncDispose]()
    const found = await whenFree(place, () => versionAt(place))
    if (due(removals, found).length === 0) return { place, ...found, kept: null }
    const alone = await takeAlone(place, busyLimitMs, 'upgrading')
    if (alone === null) throw corrupt(path, 'it cannot be read')
    try {
      return { place, ...(await takeAway(alone, place, removals)) }
    } finally {
      closeFile(alone)
    }
  } catch (thrown) {
    throw asLedgerError(path, thrown)
  }
}

function versionAt(place: string): Version {
  const database = openFile(place, { timeout: LOCK_TIMEOUT_MS, readOnly: true })
  try {
    return readVersion(database)
  } finally {
    closeFile(database)
  }
}

function due(removals: readonly Removal[], found: Version): readonly Removal[] {
  return removals.filter(({ oldest }) => oldest > found.oldest && oldest <= found.steps)
}

async function takeAway(
  alone: DatabaseSync,
  place: string,
  removals: readonly Removal[],
): Promise<Omit<Upgraded, 'place'>> {
  const found = readVersion(alone)
  const wanted = due(removals, found)
  if (wanted.length === 0) return { ...found, kept: null }
  // From here the lock outlives a transaction: a copy cannot be made within one.
  alone.exec('PRAGMA locking_mode = EXCLUSIVE; COMMIT')
  const kept = copyBefore(place, found)
  await keepCopy(alone, place, kept)
  const after = { steps: found.steps, oldest: Math.max(...wanted.map(({ oldest }) => oldest)) }
  alone.exec('PRAGMA synchronous = FULL; BEGIN EXCLUSIVE')
  try {
    for (const { sql } of wanted) alone.exec(sql)
    alone.exec(`PRAGMA user_version = ${userVersionOf(after)}; COMMIT`)
  } catch (thrown) {
    if (alone.isTransaction) alone.exec('ROLLBACK')
    throw damaged(place, thrown)
  }
  alone.exec('VACUUM')
  return { ...after, kept }
}
