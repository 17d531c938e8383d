// Which popfetch can work on a ledger's file. The lower 16 bits of `user_version` say how many steps the file has been through.
// The upper ones name the oldest version whose program can work on it. Then a person can go back to that one (N040).
import type { DatabaseSync } from 'node:sqlite'
import { newerLedger } from '../rows/fault.ts'
import { number, rowOf } from '../rows/row.ts'

const BITS = 16
const LOW = 0xffff

export interface Version {
  readonly steps: number
  readonly oldest: number
}

export function versionOf(userVersion: number): Version {
  const steps = userVersion & LOW
  // 0: of a file that no older version can work on.
  const oldest = userVersion >>> BITS
  return { steps, oldest: oldest === 0 ? steps : oldest }
}

export function userVersionOf({ steps, oldest }: Version): number {
  return oldest === steps ? steps : (oldest << BITS) | steps
}

export function readVersion(database: DatabaseSync): Version {
  return versionOf(number(rowOf(database.prepare('PRAGMA user_version'))?.[0]))
}

/** Throws ERR_LEDGER when a program that knows `known` steps cannot work on the file. */
export function refuseNewer(path: string, { steps, oldest }: Version, known: number): void {
  if (steps > known && oldest > known) throw newerLedger(path, steps, known)
}
