// Messages that were skipped, or fetched by another program, are known by their UIDLs alone. Should the server change all UIDLs,
// only their headers tell them (M010). So quiet polls ask for those, a few at a time, until all are remembered.
// The one rule: nothing depends on it. A server that does not show a header costs one poll one look.
import { splitHeader } from '../../header.ts'
import { shownFacts } from '../../heading.ts'
import type { KnownMessage, ShownHeader } from '../../ledger/ledger.ts'
import type { Listing, ListingEntry } from '../../pop3/listing/listing.ts'
import type { Visit } from '../visit.ts'
import type { ComparedListing } from './compare.ts'

/** Headers asked for in one poll: each answer is up to 64 KiB, most have 4. */
const MOST_LEARNT = 100

/** Entries looked up in the ledger for that; known ones cost a microsecond. */
const MOST_LOOKED_UP = 5000
const BATCH = 1000

type Wanted = ListingEntry & { readonly known: KnownMessage }

/** Works only in a poll that has nothing else to do. Rejects with BrokenLook. */
export async function learnHeaders(listing: Listing, { plan }: ComparedListing, visit: Visit): Promise<void> {
  const { account, run, lease, history, looks, session } = visit
  const from = history.headersFrom
  if (from === null || plan.fetch.length + plan.left + plan.deletions.length + plan.holds.length > 0) return
  // What was shown may count as retrieved there, and is not listed again (P161).
  if (!looks.top || session.capabilities.expireDays === 0) return
  await listing.tellCopies()
  const shared = new Set(listing.sharing())
  const wanted: Wanted[] = []
  let at = from
  while (at < Math.min(listing.length, from + MOST_LOOKED_UP) && wanted.length < MOST_LEARNT) {
    const entries = listing.slice(at, at + BATCH)
    const known = await run.ledger.known(account.name, entries)
    for (const [place, entry] of entries.entries()) {
      if (wanted.length === MOST_LEARNT) break
      at = entry.index + 1
      const message = known[place] ?? null
      if (entry.uidl === '' || shared.has(entry.index) || message === null) continue
      if (await isKnownByUidl(entry, message, visit)) wanted.push({ ...entry, known: message })
    }
  }
  const headers = await shownHeaders(wanted, visit)
  if (headers.length > 0) await run.ledger.noteHeaders(lease, headers)
  history.headersUpTo(at >= listing.length ? null : at)
}

/** Skipped, or delivered by another program, and its header never seen. */
async function isKnownByUidl(entry: ListingEntry, known: KnownMessage, { account, run }: Visit): Promise<boolean> {
  if (known.fingerprint !== null || known.harm?.command === 'TOP') return false
  if (known.state !== 'delivered') return known.state === 'seen'
  const copies = await run.ledger.records.find(account.name, entry.uidl)
  return copies.some(({ key, deliveries }) => key.copy === entry.copy && deliveries.length === 0)
}

async function shownHeaders(entries: readonly Wanted[], { looks }: Visit): Promise<readonly ShownHeader[]> {
  const shown = await looks.read(entries, (header) => shownFacts(splitHeader(header)))
  return entries.flatMap(({ uidl, copy, sizeBytes }, at) => {
    const facts = shown[at] ?? null
    return facts === null ? [] : [{ key: { uidl, copy }, listedBytes: sizeBytes, ...facts }]
  })
}
