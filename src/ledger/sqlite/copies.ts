// Files beside a ledger that have its contents from some time: daily copies, those from before an upgrade, a restore or a repair. And
// how many of the last two kinds are kept: each has a whole ledger, and nobody asks for the tenth.
import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { BEFORE_REPAIR, BEFORE_RESTORE } from './file.ts'

const DAY_MS = 86_400_000
/** Of each kind, and all that are younger than a month. */
const KEPT = 1
const KEPT_MS = 30 * DAY_MS

/** Their paths, in the order of their names. */
export async function everyCopy(path: string): Promise<readonly string[]> {
  const isCopy = new RegExp('^(daily\\.[12]|v\\d+|before-(restore|repair)-[^-]+-[^-]+)$')
  const own = `${basename(path)}.`
  const names = await readdir(dirname(path))
  const copies = names.filter((name) => name.startsWith(own) && isCopy.test(name.slice(own.length)))
  return copies.toSorted().map((name) => join(dirname(path), name))
}

/** Removes those from before a restore or a repair that nobody will ask for. */
export async function boundCopies(path: string, nowMs: number): Promise<void> {
  const all = await everyCopy(path)
  for (const kind of [BEFORE_RESTORE, BEFORE_REPAIR]) {
    // Their names begin with the time.
    const newestFirst = all.filter((file) => basename(file).startsWith(basename(path) + kind)).toReversed()
    for (const file of newestFirst.slice(KEPT))
      if (nowMs - madeMs(file) > KEPT_MS) for (const suffix of ['', '-wal']) await rm(file + suffix, { force: true })
  }
}

function madeMs(file: string): number {
  const [, year = '', month = '', day = ''] = /-(\d{4})(\d\d)(\d\d)T\d+Z-[0-9a-f]+$/.exec(file) ?? []
  return Date.parse(`${year}-${month}-${day}`)
}
