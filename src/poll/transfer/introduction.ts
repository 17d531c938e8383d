// Which message is it that does not come? A person knows it by From and Subject, which TOP may tell though RETR does not. Asked
// once for each message, where nothing is lost when that ends the session, too.
import { splitHeader } from '../../header.ts'
import { headingOf } from '../../heading.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Visit } from '../visit.ts'

/** This many in one session. */
export const MOST_INTRODUCED = 3

/** Is it known by its UIDL alone, and may TOP tell more? */
export function isStranger({ known }: PlannedFetch, { looks }: Visit): boolean {
  const { from = null, subject = null, harm = null } = known ?? {}
  return looks.top && from === null && subject === null && harm?.command !== 'TOP'
}

/** Rejects when TOP ends the session, or the ledger cannot be written. */
export async function introduce(fetch: PlannedFetch, visit: Visit): Promise<void> {
  const { session, lease, run, suspects } = visit
  if (!isStranger(fetch, visit)) return
  const header = await session.header(fetch.number)
  if (header === null) return
  const heading = headingOf(splitHeader(header))
  suspects.name(fetch, heading)
  await run.ledger.noteHeading(lease, { uidl: fetch.uidl, copy: fetch.copy }, heading)
}
