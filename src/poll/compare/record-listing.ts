// What the ledger learns from a listing without a single RETR. What was skipped by `first`, what is kept back, what is gone
// from the server.
import type { EntryKey } from '../../ledger/ledger.ts'
import { asPopfetchError } from '../../errors.ts'
import { headingOf } from '../../heading.ts'
import { splitHeader } from '../../header.ts'
import type { Heading } from '../../message.ts'
import type { ComparedListing } from './compare.ts'
import { hold } from '../hold.ts'
import { isForSize } from '../plan/held-for-size.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import type { PlannedFetch, PlannedHold } from '../plan/entry.ts'
import { forgettable, isWhole, mayBeWindow, MOST_FORGOTTEN } from '../plan/prune.ts'
import type { Visit } from '../visit.ts'

/** Records it all, and returns the fetches that are left. */
export async function recordListing(compared: ComparedListing, visit: Visit): Promise<readonly PlannedFetch[]> {
  const { lease, run, tally, history } = visit
  const { plan, recovery } = compared
  await noteAbsent(compared, visit)
  if (plan.unadopted.length > 0) await run.ledger.records.forget(lease, plan.unadopted, {})
  if (plan.seen !== null) {
    for (const entries of compared.seen()) await run.ledger.see(lease, entries.map(keyed))
    await run.ledger.start(lease, [])
    if (plan.skipped > 0) history.headersUpTo(0)
  }
  // Not before: cut short, what was not counted as seen yet would be new mail to the next poll.
  await recovery?.end()
  if (plan.reprieved.length > 0)
    await run.ledger.noteDeletions(
      lease,
      plan.reprieved.map((key) => ({ key, pending: null })),
    )
  if (plan.fromFuture.length > 0) await run.ledger.restartAges(lease, plan.fromFuture)
  await holdNamed(plan.holds, visit)
  if (plan.withoutUidl > 0) tally.note(`${plan.withoutUidl} messages have no UIDL and show no header: left alone`)
  return plan.fetch
}

/** So many in one session. */
const MOST_NAMED = 20

/** A person knows a message that is too large by its From and Subject, which its header tells (DESIGN 2). They are asked for before it
 *  is held, once; a look that ends the session costs the names alone. */
async function holdNamed(holds: readonly PlannedHold[], visit: Visit): Promise<void> {
  const { looks, session, lease, run } = visit
  // What was shown may count as retrieved there, and is not listed again (P161).
  const mayLook = looks.top && session.capabilities.expireDays !== 0
  const strangers = holds.filter(({ reason, known }) => isForSize(reason) && (known?.from ?? null) === null)
  const asked = mayLook ? strangers.slice(0, MOST_NAMED) : []
  const { headings, broken } = await looks
    .read(asked, (header) => headingOf(splitHeader(header)))
    .then(
      (found) => ({ headings: found, broken: null }),
      (error: unknown) => ({ headings: [], broken: asPopfetchError(error) }),
    )
  const named = asked.flatMap((message, at) => {
    const heading = headings[at] ?? null
    return heading === null ? [] : [{ message, heading }]
  })
  const headingOfHeld = new Map(named.map(({ message, heading }) => [message, heading]))
  await hold(
    holds.map((message) => ({ ...message, ...optional(headingOfHeld.get(message)) })),
    visit,
  )
  await Promise.all(named.map(({ message, heading }) => run.ledger.noteHeading(lease, message, heading)))
  if (broken !== null) throw broken
}

function optional(heading: Heading | undefined): { readonly heading?: Heading } {
  return heading === undefined ? {} : { heading }
}

function keyed({ uidl, copy, sizeBytes }: ListingEntry): {
  readonly key: EntryKey
  readonly listedBytes: number | null
} {
  return { key: { uidl, copy }, listedBytes: sizeBytes }
}

/** What the listing lacks is gone, unless it lacks so much that it may not be the whole truth (P083, P099, P100). What is gone
 *  for long enough is forgotten. */
async function noteAbsent(
  { plan, comparison, returned, isSearched }: ComparedListing,
  { lease, run, history, session, tally }: Visit,
): Promise<void> {
  if (returned.length > 0) await run.ledger.returned(lease, returned)
  const counts = await comparison.counts()
  // What was retrieved is not listed again there, until a person says so to the server (EXPIRE 0, P161).
  const drops = session.capabilities.expireDays === 0
  const removed = drops ? counts.present : counts.removed
  const view = { listed: plan.listed, listedBefore: history.listedBefore, present: counts.present, removed }
  history.listed(plan.listed, isWhole(view))
  if (!isWhole(view)) return
  // What a person counts as seen may be what is gone, under a new UID.
  if (isSearched && !run.options.markSeen && comparison.seen < view.present) {
    const forgotten = await comparison.gone(lease, { keep: drops || mayBeWindow(view) })
    if (forgotten > 0) tally.note(`${forgotten} messages that were never fetched are no longer listed: forgotten`)
  }
  const absence = forgettable(history.ages.agedMs)
  // Under new UIDs what is gone may be there again.
  if (absence === null || run.options.acceptNewIds || run.options.markSeen) return
  // One stays: an account that knows nothing looks like one whose ledger was lost, and the guards ask again.
  await run.ledger.forget(lease, absence, Math.min(MOST_FORGOTTEN, history.record.known - 1))
}
