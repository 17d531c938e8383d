// A file that is not to be used: all of it was copied elsewhere, or it is being filled by a copy that has not come to its end. Its version
// is one that no popfetch knows, so that those which know nothing of this refuse it as well, and a memo says why.
import type { DatabaseSync } from 'node:sqlite'
import { filledHalf, movedAway } from '../rows/fault.ts'
import { number, parsed, rowOf, text } from '../rows/row.ts'

const VERSION = 0x7fffffff
export const MEMO = 'set aside'

export interface SetAside {
  /** `moved`: all of it is at `place`. `filling`: it comes from `place`. */
  readonly why: 'moved' | 'filling'
  readonly place: string
}

interface Kept extends SetAside {
  /** What the version was. */
  readonly version: number
}

/** Null: it may be used. */
export function setAsideIn(database: DatabaseSync): SetAside | null {
  return versionIn(database) === VERSION ? keptIn(database) : null
}

/** Throws ERR_CONFIG for one that was copied elsewhere, ERR_LEDGER for one that is being filled. */
export function refuseSetAside(path: string, database: DatabaseSync): void {
  const found = setAsideIn(database)
  if (found === null) return
  throw found.why === 'moved' ? movedAway(path, found.place) : filledHalf(path, found.place)
}

/** Within a transaction. One that is set aside already gets the new reason. */
export function setAside(database: DatabaseSync, aside: SetAside): void {
  const version = versionIn(database)
  const kept: Kept = { ...aside, version: version === VERSION ? keptIn(database).version : version }
  database.prepare('INSERT OR REPLACE INTO memo (name, text) VALUES (?, ?)').run(MEMO, JSON.stringify(kept))
  database.exec(`PRAGMA user_version = ${VERSION}`)
}

/** Within a transaction: it may be used again. */
export function putBack(database: DatabaseSync): void {
  const { version } = keptIn(database)
  database.prepare('DELETE FROM memo WHERE name = ?').run(MEMO)
  database.exec(`PRAGMA user_version = ${version}`)
}

function versionIn(database: DatabaseSync): number {
  return number(rowOf(database.prepare('PRAGMA user_version'))?.[0])
}

function keptIn(database: DatabaseSync): Kept {
  return parsed(text(rowOf(database.prepare('SELECT text FROM memo WHERE name = ?'), MEMO)?.[0])) as Kept
}
