// Which known message is this entry? Its UIDL tells, with exceptions: none was given, several messages share it, it was gone
// and is back, or its size changed (P086, P091, P095–P098). Then the header does, asked for with TOP n 0. The one rule: what
// cannot be told apart from something new is new. A copy too many beats a message lost.
import type { Comparison, EntryKey, KnownMessage } from '../../ledger/ledger.ts'
import type { Looks } from './looks.ts'
import { type Identified, Match } from './match.ts'
import { MOST_DELETIONS } from '../plan/moments.ts'
import { NO_UIDL } from '../plan/no-uidl.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'

/** Why a deletion did not happen: under the UIDL of what was delivered there is another message. The next poll tells it apart. */
export const ANOTHER_MESSAGE = 'the server has a different message in its place'

/** Is it likely, though not certain, that the entry is the message known by its UIDL? */
export function isDoubtful(known: KnownMessage): boolean {
  if (known.goneSinceMs !== null) return true
  // It should be gone: some servers give its UIDL to the next message at once (P098).
  if (known.deletions > 0 && known.deletions <= MOST_DELETIONS) return true
  return known.deletion?.reason === ANOTHER_MESSAGE
}

/** Does the server list another size than it did (S039)? Where sizes are hints, only of a message that its header can tell. */
export function isResized({ sizeBytes }: ListingEntry, known: KnownMessage, exactSizes: boolean): boolean {
  if (sizeBytes === null || known.listedBytes === null || sizeBytes === known.listedBytes) return false
  return exactSizes || known.fingerprint !== null
}

/** Entries without a UIDL, keyed by their header. With `byDigest`, where the header is not shown, the key is the digest of all
 *  that RETR gives (DESIGN 4.1). Those of which the server shows neither are left out, and so are those that ended a session
 *  (P167). */
export async function keyNameless(
  entries: readonly ListingEntry[],
  looks: Looks,
  byDigest: boolean,
): Promise<readonly ListingEntry[]> {
  const shown = await looks.shown(entries)
  const seen = new Map<string, number>()
  const keyed: ListingEntry[] = []
  for (const [at, entry] of entries.entries()) {
    const print = shown[at]?.fingerprint ?? (byDigest ? (await looks.whole(entry))?.whole?.digest : undefined)
    if (print === undefined) continue
    const key = `${NO_UIDL}${print.toString('hex')}`
    const copy = seen.get(key) ?? 0
    seen.set(key, copy + 1)
    keyed.push({ ...entry, uidl: key, copy })
  }
  return keyed
}

/** Those of `keyed` whose place among messages with the same header does not tell which of the known ones they are. One may have
 *  left the server, or another have come. Copies for several people differ in one field that no header of ours counts. */
export async function unclearNameless(
  keyed: readonly ListingEntry[],
  comparison: Comparison,
): Promise<ReadonlySet<ListingEntry>> {
  const groups = Map.groupBy(keyed, ({ uidl }) => uidl)
  const copies = await comparison.copies([...groups.keys()])
  const unclear = [...groups].flatMap(([uidl, group]) => {
    const known = copies.get(uidl) ?? []
    if (known.length === 0) return []
    const isPlain = known.length === group.length && !known.some((copy) => isDoubtful(copy.known))
    const areAlike = group.length === 1 || known.every((copy) => copy.known.state === known[0]?.known.state)
    return isPlain && areAlike ? [] : group
  })
  return new Set(unclear)
}

export interface Identification {
  readonly identified: readonly Identified[]
  /** Recorded as gone, and here again. */
  readonly returned: readonly EntryKey[]
}

/** Tells entries apart whose UIDL is not enough, each by its header or, where that does not tell, by its digest. `isCurious`
 *  false: nothing is retrieved for that, the size must do. */
export async function identify(
  entries: readonly ListingEntry[],
  comparison: Comparison,
  looks: Looks,
  isCurious: boolean,
): Promise<Identification> {
  const groups = Map.groupBy(entries, ({ uidl }) => uidl)
  const copies = await comparison.copies([...groups.keys()])
  // Nothing is known of any: then the order of the listing is as good as any.
  const wanted = entries.filter(({ uidl }) => {
    const known = copies.get(uidl) ?? []
    // The header is its key already.
    if (uidl.startsWith(NO_UIDL)) return false
    // Its header was the same, and yet it was another: only the digest tells.
    return known.length > 0 && !known.some((copy) => copy.known.deletion?.reason === ANOTHER_MESSAGE)
  })
  const found = await looks.headers(wanted)
  const headers = new Map(wanted.map((entry, at) => [entry, found[at] ?? null]))
  const identified: Identified[] = []
  for (const [uidl, group] of groups) {
    const match = new Match(group, copies.get(uidl) ?? [], headers, uidl.startsWith(NO_UIDL))
    match.byHeader()
    match.byHarm()
    if (isCurious) await match.byDigest(looks)
    match.bySize(isCurious)
    identified.push(...match.identified())
  }
  const returned = identified.flatMap(({ entry, known }) =>
    known === null || known.goneSinceMs === null ? [] : [{ uidl: entry.uidl, copy: entry.copy }],
  )
  return { identified, returned }
}
