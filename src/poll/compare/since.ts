// What `first: since:DATE` skips: messages that the server took before that day, as the topmost Received field says, or without
// one the Date field. The one rule: what says neither is delivered.
import { BitSet } from '../../bit-set.ts'
import { receivedDateMs, splitHeader } from '../../header.ts'
import { headingOf } from '../../heading.ts'
import type { KnownMessage } from '../../ledger/ledger.ts'
import type { Listing, ListingEntry } from '../../pop3/listing/listing.ts'
import type { Looks } from './looks.ts'

/** As many entries are made at once. */
const BATCH = 1000

/** Their places in the listing. Asks for every header: only a first poll does so. One that ended a session when it was asked for
 *  is known by that, and counts as saying nothing. Rejects with BrokenLook. */
export async function olderThan(
  sinceMs: number,
  listing: Listing,
  looks: Pick<Looks, 'read'>,
  known: (entries: readonly ListingEntry[]) => Promise<readonly (KnownMessage | null)[]>,
): Promise<BitSet> {
  const older = new BitSet()
  for (let at = 0; at < listing.length; at += BATCH) {
    const batch = listing.slice(at, at + BATCH)
    const messages = await known(batch)
    const entries = batch.filter((_, place) => messages[place]?.harm?.command !== 'TOP')
    const dates = await looks.read(entries, dateOf)
    for (const [place, entry] of entries.entries()) if ((dates[place] ?? sinceMs) < sinceMs) older.add(entry.index)
  }
  return older
}

function dateOf(header: Buffer): number | null {
  const head = splitHeader(header)
  return receivedDateMs(head) ?? headingOf(head).dateMs
}
