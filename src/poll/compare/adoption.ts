// After the ledger was lost: what stands in a Maildir under our own names was delivered, and is not fetched again (DESIGN
// 4.3). Key and size tell; before such a message is deleted from the server it is compared with the file, once.
import { setImmediate as turn } from 'node:timers/promises'
import type { Account } from '../../config/schema.ts'
import { isReadable, type Standing } from '../../deliver/destination.ts'
import type { Adoption, Comparison, FingerprintedKey } from '../../ledger/ledger.ts'
import type { MessageRecord } from '../../ledger/records.ts'
import { originOf } from '../attempt.ts'
import type { PlannedFetch } from '../plan/plan.ts'
import type { Run } from '../run/run.ts'
import type { Visit } from '../visit.ts'

/** Files read in one walk through a Maildir; what the ledger says of them is held meanwhile. */
const REREAD_AT_ONCE = 10_000

/** One walk through a Maildir for so many; their hashed keys are 10 MB. */
const BATCH = 100_000

/** The fetches that are left; the others are recorded as delivered. Asked for on an account's first poll only. */
export async function adopt(fetches: readonly PlannedFetch[], visit: Visit): Promise<readonly PlannedFetch[]> {
  const { lease, run } = visit
  const left: PlannedFetch[] = []
  for (let at = 0; at < fetches.length; at += BATCH) {
    const batch = fetches.slice(at, at + BATCH)
    const found = await standings(batch, visit)
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
    if (adoptions.length > 0) await run.ledger.adopt(lease, adoptions)
    await turn()
  }
  return left
}

async function standings(
  fetches: readonly PlannedFetch[],
  { account, run, destinations }: Visit,
): Promise<readonly { readonly name: string; readonly list: readonly (Standing | null)[] }[]> {
  const found = []
  const origins = fetches.map((fetch) => originOf(account, fetch))
  for (const { name, destination, down } of await destinations.configured()) {
    const list = down === null ? await destination.census(origins, run.signal) : null
    if (list !== null) found.push({ name, list })
  }
  return found
}

/** The headers, as they stand in the Maildir, of unseen messages that were taken over by their names alone: under a new UIDL
 *  nothing else tells them. What cannot be read is left out. */
export async function* adoptedPrints(
  comparison: Comparison,
  { account, run }: Visit,
): AsyncIterable<readonly FingerprintedKey[]> {
  let waiting: MessageRecord[] = []
  for await (const slice of run.ledger.records.list(account.name, 'delivered')) {
    const adopted = slice.filter(({ fingerprint }) => fingerprint === null)
    const unseen = new Set(await comparison.unseen(adopted.map(({ key }) => key)))
    waiting.push(...adopted.filter(({ key }) => unseen.has(key)))
    if (waiting.length < REREAD_AT_ONCE) continue
    yield await printsOf(waiting, account, run)
    waiting = []
  }
  if (waiting.length > 0) yield await printsOf(waiting, account, run)
}

async function printsOf(
  messages: readonly MessageRecord[],
  account: Account,
  { destinations, signal }: Run,
): Promise<readonly FingerprintedKey[]> {
  const prints: FingerprintedKey[] = []
  const names = new Set(messages.flatMap(({ deliveries }) => deliveries.map(({ destination }) => destination)))
  for (const name of names) {
    const { destination, down } = await destinations.target(name, account)
    if (down !== null || !isReadable(destination)) continue
    const there = messages.flatMap(({ key, deliveries }) => {
      const delivery = deliveries.find((one) => one.destination === name)
      if (delivery === undefined) return []
      const { intent, recipient } = delivery
      return [{ key, attempt: { intent, recipient, origin: originOf(account, key) } }]
    })
    const found = await destination.reread(
      there.map(({ attempt }) => attempt),
      signal,
    )
    there.forEach(({ key }, at) => {
      const received = found[at]?.received
      if (received !== null && received !== undefined) prints.push({ key, fingerprint: received.fingerprint })
    })
  }
  return prints
}

/** Line ends and the fields on top make up to a double, or less, of what the server announces (P101). */
function plausible(announced: number | null, { fileBytes }: Standing): boolean {
  if (announced === null || fileBytes === null) return true
  return announced >= fileBytes / 2 - 1024 && announced <= fileBytes * 2 + 1024
}
