// What the ledger learns from a listing without a single RETR: what was skipped by `first`, what is kept back, what is gone
// from the server, which messages stand in a Maildir already or came under new UIDLs.
import type { EntryKey, FingerprintedKey } from '../../ledger/ledger.ts'
import { adopt, adoptedPrints } from './adoption.ts'
import { fingerprintsOf } from './identify.ts'
import type { ComparedListing } from './compare.ts'
import { hold } from '../hold.ts'
import type { Entry, PlannedFetch } from '../plan/plan.ts'
import { forgettable, isWhole, mayBeWindow, MOST_FORGOTTEN } from '../plan/prune.ts'
import { recallInterrupted } from '../route/due.ts'
import type { Visit } from '../visit.ts'

/** Records it all, and returns the fetches that are left. */
export async function recordListing(compared: ComparedListing, visit: Visit): Promise<readonly PlannedFetch[]> {
  const { lease, run, history, tally } = visit
  const { plan } = compared
  await noteAbsent(compared, visit)
  if (plan.seen !== null) {
    for (const entries of compared.seen()) await run.ledger.see(lease, entries.map(keyed))
    await run.ledger.start(lease, [])
  }
  await hold(plan.holds, visit)
  if (plan.withoutUidl > 0) tally.note(`${plan.withoutUidl} messages have no UIDL and show no header: left alone`)
  let fetches = plan.fetch
  if (history.mayBeLost && fetches.length > 0) fetches = await adopt(fetches, visit)
  if (run.options.acceptNewIds && history.record.known > 0) fetches = await takeOver(fetches, compared, visit)
  const known = plan.fetch.length - fetches.length
  if (known > 0) tally.note(`${known} messages were delivered before and are not fetched again`)
  tally.skipped += known
  tally.new -= known
  return fetches
}

function keyed({ uidl, copy, sizeBytes }: Entry): { readonly key: EntryKey; readonly listedBytes: number | null } {
  return { key: { uidl, copy }, listedBytes: sizeBytes }
}

/** What the listing lacks is gone, unless it lacks so much that it may not be the whole truth (P083, P099, P100). What is gone
 *  for long enough is forgotten. */
async function noteAbsent(
  { plan, comparison, returned }: ComparedListing,
  { lease, run, history }: Visit,
): Promise<void> {
  if (returned.length > 0) await run.ledger.returned(lease, returned)
  const view = { listed: plan.listed, listedBefore: history.listedBefore, ...(await comparison.counts()) }
  history.listed(plan.listed, isWhole(view))
  if (!isWhole(view)) return
  if (comparison.seen < view.present) await comparison.gone(lease, { keep: mayBeWindow(view) })
  const absence = forgettable(history.ages.agedMs)
  // Under new UIDs what is gone may be there again.
  if (absence === null || run.options.acceptNewIds) return
  // One stays: an account that knows nothing looks like one whose ledger was lost, and the guards ask again.
  await run.ledger.forget(lease, absence, Math.min(MOST_FORGOTTEN, history.record.known - 1))
}

/** `--accept-new-ids`: what the ledger knows under another UIDL, by its header (DESIGN 4.4), and does not see listed. */
async function takeOver(
  fetches: readonly PlannedFetch[],
  { comparison }: ComparedListing,
  visit: Visit,
): Promise<readonly PlannedFetch[]> {
  const { lease, run, session } = visit
  await recallInterrupted(visit)
  const fresh = fetches.filter(({ known }) => known === null)
  const prints = await fingerprintsOf(fresh, session)
  const wanted = new Map<string, PlannedFetch[]>()
  fresh.forEach((fetch, at) => {
    const print = prints[at]?.toString('hex')
    if (print !== undefined) wanted.set(print, [...(wanted.get(print) ?? []), fetch])
  })
  const taken = new Set<PlannedFetch>()
  const take = async (known: readonly FingerprintedKey[]): Promise<void> => {
    const changes = known.flatMap(({ key, fingerprint }) => {
      const fetch = wanted.get(fingerprint.toString('hex'))?.shift()
      if (fetch === undefined) return []
      taken.add(fetch)
      return [{ from: key, to: { uidl: fetch.uidl, copy: fetch.copy } }]
    })
    if (changes.length > 0) await run.ledger.rekey(lease, changes)
  }
  for await (const slice of comparison.unseenFingerprints()) await take(slice)
  if (taken.size < fresh.length) for await (const slice of adoptedPrints(comparison, visit)) await take(slice)
  return fetches.filter((fetch) => !taken.has(fetch))
}
