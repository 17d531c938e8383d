// After the ledger was lost: what stands in a Maildir under our own names was delivered, and is not fetched again (DESIGN
// 4.3). Key and size tell; before such a message is deleted from the server it is compared with the file, once.
import { setImmediate as turn } from 'node:timers/promises'
import type { Account } from '../config/schema.ts'
import type { Standing } from '../deliver/destination.ts'
import type { Adoption } from '../ledger/ledger.ts'
import type { PlannedFetch } from './plan.ts'
import type { Run } from './run.ts'
import type { Targets } from './targets.ts'
import { originOf } from './hand-over.ts'

/** One walk through a Maildir for so many; their hashed keys are 10 MB. */
const BATCH = 100_000

/** The fetches that are left; the others are recorded as delivered. Asked for on an account's first poll only. */
export async function adopt(
  fetches: readonly PlannedFetch[],
  targets: Targets,
  account: Account,
  run: Run,
): Promise<readonly PlannedFetch[]> {
  const left: PlannedFetch[] = []
  for (let at = 0; at < fetches.length; at += BATCH) {
    const batch = fetches.slice(at, at + BATCH)
    const found = await standings(batch, targets, account, run)
    const adoptions = batch.flatMap((fetch, index) => {
      const deliveries = found.flatMap(({ name, list }) => {
        const standing = list[index] ?? null
        return standing !== null && plausible(fetch.sizeBytes, standing)
          ? [{ destination: name, recipient: '', intent: standing.intent, receipt: standing.text }]
          : []
      })
      if (deliveries.length === 0) {
        left.push(fetch)
        return []
      }
      return [
        { key: { uidl: fetch.uidl, copy: fetch.copy }, listedBytes: fetch.sizeBytes, deliveries } satisfies Adoption,
      ]
    })
    if (adoptions.length > 0) await run.ledger.adopt(account.name, adoptions)
    await turn()
  }
  return left
}

async function standings(
  fetches: readonly PlannedFetch[],
  targets: Targets,
  account: Account,
  run: Run,
): Promise<readonly { readonly name: string; readonly list: readonly (Standing | null)[] }[]> {
  const found = []
  const origins = fetches.map((fetch) => originOf(account, fetch))
  for (const { name, destination, down } of await targets.configured()) {
    const list = down === null ? await destination.census(origins, run.signal) : null
    if (list !== null) found.push({ name, list })
  }
  return found
}

/** Line ends and the fields on top make up to a double, or less, of what the server announces (P101). */
function plausible(announced: number | null, { fileBytes }: Standing): boolean {
  if (announced === null || fileBytes === null) return true
  return announced >= fileBytes / 2 - 1024 && announced <= fileBytes * 2 + 1024
}
