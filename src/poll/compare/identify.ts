// Which known message is this entry? Its UIDL tells, except where it cannot: none was given, several messages share it, it
// was gone and is back, its size changed (P086, P091, P095–P098). Then the header does, asked for with TOP n 0.
// The one rule: what cannot be told apart from something new is new. A copy too many beats a message lost.
import { fingerprint, splitHeader } from '../../header.ts'
import type { ComparedMessage, Comparison, EntryKey, KnownCopy, KnownMessage } from '../../ledger/ledger.ts'
import type { Session } from '../../pop3/session.ts'
import { type Entry, MOST_DELETIONS, NO_UIDL } from '../plan/plan.ts'

/** Headers asked for at once: each answer is up to 64 KiB. */
const HEADERS_AT_ONCE = 64

export interface Identified {
  readonly entry: Entry
  readonly known: ComparedMessage | null
}

/** Is it likely, though not certain, that the entry is the message known by its UIDL? */
export function isDoubtful(entry: Entry, known: KnownMessage, exactSizes: boolean): boolean {
  if (known.goneSinceMs !== null) return true
  // It should be gone: some servers give its UIDL to the next message at once (P098).
  if (known.deletions > 0 && known.deletions <= MOST_DELETIONS) return true
  return exactSizes && entry.sizeBytes !== null && known.listedBytes !== null && entry.sizeBytes !== known.listedBytes
}

/** The headers' fingerprints, in order; null for one that the server does not show. */
export function fingerprintsOf(entries: readonly Entry[], session: Session): Promise<readonly (Buffer | null)[]> {
  return lookAtHeaders(entries, session, (header) => fingerprint(splitHeader(header)))
}

/** What `look` makes of each header, in order; null for one that the server does not show. */
export async function lookAtHeaders<T>(
  entries: readonly Entry[],
  session: Session,
  look: (header: Buffer) => T,
): Promise<readonly (T | null)[]> {
  const found: (T | null)[] = []
  for (let at = 0; at < entries.length; at += HEADERS_AT_ONCE) {
    const batch = entries.slice(at, at + HEADERS_AT_ONCE)
    const headers = await Promise.all(batch.map(({ number }) => session.header(number)))
    for (const header of headers) found.push(header === null ? null : look(header))
  }
  return found
}

/** Entries without a UIDL, keyed by their header; those whose header the server does not show are left out. */
export async function keyByHeader(entries: readonly Entry[], session: Session): Promise<readonly Entry[]> {
  const prints = await fingerprintsOf(entries, session)
  const seen = new Map<string, number>()
  return entries.flatMap((entry, at) => {
    const print = prints[at]?.toString('hex')
    if (print === undefined) return []
    const copy = seen.get(print) ?? 0
    seen.set(print, copy + 1)
    return [{ ...entry, uidl: `${NO_UIDL}${print}`, copy }]
  })
}

export interface Identification {
  readonly identified: readonly Identified[]
  /** Recorded as gone, and here again. */
  readonly returned: readonly EntryKey[]
}

/** Tells entries apart whose UIDL is not enough, each by its header, where there is none by its size. */
export async function identify(
  entries: readonly Entry[],
  comparison: Comparison,
  session: Session,
): Promise<Identification> {
  const groups = Map.groupBy(entries, ({ uidl }) => uidl)
  const copies = await comparison.copies([...groups.keys()])
  const prints = new Map<Entry, Buffer | null>()
  const wanted = entries.filter(({ uidl }) => needsHeader(groups.get(uidl) ?? [], copies.get(uidl) ?? []))
  const found = await fingerprintsOf(wanted, session)
  wanted.forEach((entry, at) => prints.set(entry, found[at] ?? null))

  const identified: Identified[] = []
  for (const [uidl, group] of groups) {
    identified.push(...matched(group, copies.get(uidl) ?? [], (entry) => prints.get(entry) ?? null))
  }
  const returned = identified.flatMap(({ entry, known }) =>
    known === null || known.goneSinceMs === null ? [] : [{ uidl: entry.uidl, copy: entry.copy }],
  )
  return { identified, returned }
}

/** Nothing is known of any: then the order of the listing is as good as any. */
function needsHeader(group: readonly Entry[], copies: readonly KnownCopy[]): boolean {
  return group.length > 0 && copies.length > 0
}

function matched(
  group: readonly Entry[],
  copies: readonly KnownCopy[],
  printOf: (entry: Entry) => Buffer | null,
): readonly Identified[] {
  const left = [...copies]
  const take = (fits: (copy: KnownCopy) => boolean): KnownCopy | null => {
    const at = left.findIndex(fits)
    return at < 0 ? null : (left.splice(at, 1)[0] ?? null)
  }
  const found = new Map<Entry, KnownCopy>()
  const note = (entry: Entry, copy: KnownCopy | null): void => void (copy !== null && found.set(entry, copy))
  for (const entry of group) {
    const print = printOf(entry)
    if (print !== null)
      note(
        entry,
        take(({ known }) => known.fingerprint?.equals(print) === true),
      )
  }
  // What is left: copies whose header was never seen (skipped, not yet retrieved), or entries whose header is not shown.
  for (const entry of group) {
    if (found.has(entry)) continue
    const print = printOf(entry)
    note(
      entry,
      take(({ known }) => (print === null || known.fingerprint === null) && sameSize(entry, known)),
    )
  }
  let next = 1 + Math.max(-1, ...copies.map(({ copy }) => copy))
  return group.map((entry) => {
    const copy = found.get(entry)
    return { entry: { ...entry, copy: copy?.copy ?? next++ }, known: copy?.known ?? null }
  })
}

function sameSize(entry: Entry, { listedBytes }: KnownMessage): boolean {
  return entry.sizeBytes === null || listedBytes === null || entry.sizeBytes === listedBytes
}
