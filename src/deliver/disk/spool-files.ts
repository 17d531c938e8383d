// The names of files in which messages wait for their destinations, and the removal of those that a killed popfetch left. Apart from
// the spool itself, which a poll without new mail does not load.
import { randomBytes } from 'node:crypto'
import { offLoop } from './filesystem.ts'
import { isGone, ownerName, sweep } from './own-files.ts'

/** With its owner, or as older versions named it. */
const OWN_FILE = /^spool-(?:([0-9a-f]{16}-\d+)-)?[0-9a-f]{32}$/

/** A new name; `sweepSpool` recognises it. */
export function spoolName(): string {
  return `spool-${ownerName()}-${randomBytes(16).toString('hex')}`
}

/** Removes the files that a killed popfetch left in `directory`, which may be missing: at once where it is certainly gone. */
export async function sweepSpool(directory: string, nowMs: number): Promise<void> {
  const isOrphan = (name: string): boolean => isGone(OWN_FILE.exec(name)?.[1] ?? '')
  await sweep(offLoop, directory, (name) => OWN_FILE.test(name), nowMs, isOrphan)
}
