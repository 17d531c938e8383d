// What lies beside a ledger and has its contents from some time: which files those are, and how many are kept.
import { readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { boundCopies, everyCopy } from '../../../src/ledger/sqlite/copies.ts'
import { temporaryDirectory } from '../scene.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 29)

/** As restore.ts and mend/repair.ts name them, so many days ago. */
function before(kind: 'restore' | 'repair', days: number): string {
  return `state.db.before-${kind}-${new Date(NOW - days * DAY).toISOString().replaceAll(/[-:.]/g, '')}-00ff`
}

async function ledgerWith(...names: string[]): Promise<string> {
  const directory = await temporaryDirectory()
  for (const name of ['state.db', ...names]) await writeFile(join(directory, name), '')
  return join(directory, 'state.db')
}

test('copies are those of the days, and those from before an upgrade, a restore or a repair', async () => {
  const copies = ['state.db.daily.1', 'state.db.daily.2', 'state.db.v5', before('restore', 1), before('repair', 2)]
  const others = [
    'state.db-wal',
    'state.db.leases',
    'state.db.socket',
    'state.db.new-00',
    'state.db.daily.3',
    'other.db.v5',
    `${before('restore', 1)}-wal`,
  ]
  const path = await ledgerWith(...copies, ...others)
  expect((await everyCopy(path)).map((file) => basename(file))).toEqual(copies.toSorted())
})

test('of those from before a restore or a repair the newest stays, and all of the last month', async () => {
  const kept = [before('restore', 40), before('repair', 3), before('repair', 29), before('repair', 5)]
  const path = await ledgerWith(
    'state.db.daily.1',
    ...kept,
    before('restore', 41),
    `${before('restore', 41)}-wal`,
    before('restore', 400),
    before('repair', 31),
  )
  await boundCopies(path, NOW)
  expect((await readdir(join(path, '..'))).toSorted()).toEqual(['state.db', 'state.db.daily.1', ...kept].toSorted())
})
