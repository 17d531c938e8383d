// A plan as `--dry-run` shows it.
import type { Account } from '../../config/schema.ts'
import type { ComparedListing } from './compare.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import type { PlannedMessage } from '../report.ts'
import { possibleNames } from '../route/route.ts'
import { pauseAt } from '../route/paused.ts'
import type { SessionEnd } from '../sessions.ts'
import type { Visit } from '../visit.ts'

const SHOWN = 1000

/** Ends a dry run: nothing was fetched, marked or recorded. */
export async function showPlan(
  compared: ComparedListing,
  { account, run, session, tally, paused }: Visit,
): Promise<SessionEnd> {
  const isOpen = (name: string): boolean => pauseAt(name, paused, run.configuration.destinations) === null
  tally.plan = plannedMessages(compared, account, isOpen)
  await session.quit()
  return { left: 0, cut: null, othersWait: false }
}

function plannedMessages(
  compared: ComparedListing,
  account: Account,
  isOpen: (name: string) => boolean,
): readonly PlannedMessage[] {
  const { plan } = compared
  const line =
    (action: PlannedMessage['action'], destinations: readonly string[]) =>
    ({ uidl, sizeBytes }: ListingEntry): PlannedMessage => ({ uidl, sizeBytes, action, destinations })
  const names = possibleNames(account)
  const open = names.filter(isOpen)
  return [
    // Which of them, its header decides.
    ...plan.fetch.map(open.length === 0 ? line('wait', names) : line('fetch', open)),
    ...plan.deletions.map(line('delete', [])),
    ...plan.holds.map(line('hold', [])),
    ...firstOf(compared.seen()).map(line('skip', [])),
  ].slice(0, SHOWN)
}

function firstOf(batches: Iterable<readonly ListingEntry[]>): readonly ListingEntry[] {
  const first: ListingEntry[] = []
  for (const batch of batches) {
    first.push(...batch)
    if (first.length >= SHOWN) break
  }
  return first
}
