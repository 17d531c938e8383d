// What is found after polls, as two roads are to leave it alike: without random names and moments.
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import type { EntryKey, Ledger } from '../../../src/ledger/ledger.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { Scene } from '../scene.ts'

/** Random names and dates of our own. */
export function plain(text: string): string {
  return text
    .replaceAll(/\/tmp\/popfetch-poll-\w+/g, '')
    .replaceAll(/\d+\.(K\w{24})I\w{16}/g, '$1')
    .replace(/; .* \+0000$/m, '')
}

/** Each file of both Maildirs: its folder, what its name says, its date and rights, and every byte. */
export function filesAt(scene: Scene): readonly string[] {
  return ['inbox', 'other']
    .flatMap((name) => scene.files(name))
    .map((file) => {
      const text = readFileSync(file, 'latin1')
      const { mode, mtimeMs } = statSync(file)
      const dateMs = /^Received: from a by b/m.test(text) ? mtimeMs : null
      const inside = path.relative(scene.directory, file)
      return `${plain(inside).replace(/^(.*\/)[^K]*(K\w{24})/, '$1$2')} ${mode} ${dateMs} ${plain(text)}`
    })
    .toSorted()
}

interface Recorded {
  readonly key: EntryKey
  readonly [name: string]: unknown
}

function nameOf({ key }: Recorded): string {
  return `${key.uidl} ${key.copy}`
}

/** All that the ledger knows of the messages, but for what differs at every poll. */
export async function recordsOf(scene: Scene): Promise<readonly object[]> {
  await using ledger = await openLedger(scene.path('state/state.db'))
  return await recordsIn(ledger, scene)
}

export async function recordsIn(ledger: Pick<Ledger, 'records'>, scene: Scene): Promise<readonly object[]> {
  const all: Recorded[] = []
  for await (const slice of ledger.records.list(scene.name, 'all'))
    for (const { firstSeenMs: _, deliveredMs, deliveries, ...record } of slice)
      all.push({
        ...record,
        isDelivered: deliveredMs !== null,
        deliveries: deliveries.map(({ state, destination, recipient, receipt }) => {
          return { state, destination, recipient, receipt: receipt === null ? null : plain(receipt) }
        }),
      })
  // The lane's are begun first.
  return all.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}
