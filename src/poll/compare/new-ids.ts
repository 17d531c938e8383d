// The server shows the messages that it had under other UIDLs (S020). What the ledger knows is matched by its header, asked
// for with TOP n 0 (DESIGN 4.4), and given its new UIDL. Only when a person said `--accept-new-ids`; a kill or a limit in
// between changes nothing, the next poll goes on (S035, S036).
import type { Account } from '../../config/schema.ts'
import { isReadable } from '../../deliver/destination.ts'
import type { Comparison, FingerprintedKey } from '../../ledger/ledger.ts'
import type { MessageRecord } from '../../ledger/records.ts'
import { originOf } from '../attempt.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import { recallInterrupted } from '../route/recall.ts'
import type { Run } from '../run/run.ts'
import type { Visit } from '../visit.ts'

/** Files read in one walk through a Maildir; what the ledger says of them is held meanwhile. */
const REREAD_AT_ONCE = 10_000

/** Those of the unknown entries that the ledger knows under another UIDL, and has not seen listed. */
export async function takeOverNewIds<T extends { readonly entry: ListingEntry }>(
  unknown: readonly T[],
  comparison: Comparison,
  visit: Visit,
): Promise<ReadonlySet<T>> {
  const { lease, run, history } = visit
  const taken = new Set<T>()
  if (!areNewIdsAccepted(visit) || history.record.known === 0 || unknown.length === 0) return taken
  await history.takeOver('new-ids')
  await recallInterrupted(visit)
  const shown = await visit.looks.shown(unknown.map(({ entry }) => entry))
  const wanted = new Map<string, T[]>()
  unknown.forEach((one, at) => {
    const print = shown[at]?.fingerprint.toString('hex')
    if (print !== undefined) wanted.set(print, [...(wanted.get(print) ?? []), one])
  })
  const take = async (known: readonly FingerprintedKey[]): Promise<void> => {
    const changes = known.flatMap(({ key, fingerprint }) => {
      const one = wanted.get(fingerprint.toString('hex'))?.shift()
      if (one === undefined) return []
      taken.add(one)
      return [{ from: key, to: { uidl: one.entry.uidl, copy: one.entry.copy } }]
    })
    if (changes.length > 0) await run.ledger.rekey(lease, changes)
  }
  for await (const slice of comparison.unseenFingerprints()) await take(slice)
  if (taken.size < unknown.length) for await (const slice of adoptedPrints(comparison, visit)) await take(slice)
  return taken
}

/** Did a person say so, now or before a taking over that is not finished? */
export function areNewIdsAccepted({ run, history }: Visit): boolean {
  return run.options.acceptNewIds || history.takingOver?.why === 'new-ids'
}

/** The headers, as in the Maildir, of unseen messages that were taken over by their names alone. Under a new UIDL nothing else
 *  identifies them. What cannot be read is left out. */
async function* adoptedPrints(
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
  const placeOf = ({ destination, recipient }: { destination: string; recipient: string }): string =>
    JSON.stringify([destination, destinations.placeFor(destination, account, recipient)])
  const places = new Map(
    messages.flatMap(({ deliveries }) => deliveries.map((delivery) => [placeOf(delivery), delivery] as const)),
  )
  for (const [place, { destination: name, recipient: mailbox }] of places) {
    const { destination, down } = await destinations.target(name, account, mailbox)
    if (down !== null || !isReadable(destination)) continue
    const there = messages.flatMap(({ key, deliveries }) => {
      const delivery = deliveries.find((one) => placeOf(one) === place)
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
