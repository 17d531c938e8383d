// How far one session goes. A plan has as many messages as a session should carry: its QUIT commits their deletions (P154), and a plan
// takes memory. Where nothing is to be deleted there is nothing to commit. Then the session goes on with the next messages of its
// listing: a mailbox of 100,000 is not signed in to, listed and compared again for each 20,000 of them.
// The one rule: it goes on only as long as all went well. Whatever did not is for the next session to see (sessions.ts).
import type { Listing } from '../../pop3/listing/listing.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Plan } from '../plan/plan.ts'
import { isDueOnceDelivered } from '../removal.ts'
import { type Jobs, prepareJobs } from '../route/due.ts'
import type { Visit } from '../visit.ts'
import type { DeletedBefore } from './deleted-before.ts'
import { quitDrops } from './suspects.ts'
import { transfer, type Transferred } from './transfer.ts'

/** So many at once, beyond the plan: each is some hundred bytes, and between two pieces the line falls silent for a moment. */
const PIECE = 10_000

/** Servers that end long sessions do so after ten minutes or more. Such an end would be blamed on a message. */
const LONGEST_MS = 5 * 60_000

export interface SessionTransferred extends Transferred {
  /** Delivered and recorded before those of `done`; nothing of them is to be deleted. */
  readonly settled: number
  /** Of the plan's `left`, those that are left still. */
  readonly left: number
  /** Was more asked for than one message that may have ended the session? */
  readonly othersWait: boolean
}

/** What a session works on. */
export interface Work {
  readonly plan: Plan
  readonly listing: Listing
  readonly deletedBefore: DeletedBefore
  /** Those of the plan, `jobs` those of them that are to be asked for now. */
  readonly fetches: readonly PlannedFetch[]
  readonly jobs: Jobs
}

/** Transfers them, and what follows them in the listing as far as this session may. Resolves and rejects as `transfer` does. */
export async function transferOn(
  { plan, listing, deletedBefore, ...first }: Work,
  visit: Visit,
): Promise<SessionTransferred> {
  const { run, history, suspects } = visit
  const sinceMs = run.nowMs()
  let { fetches, jobs } = first
  let { left } = plan
  let settled = 0
  for (let from = 0; ; from = (fetches.at(-1)?.index ?? from) + 1) {
    const transferred = await transfer(jobs, deletedBefore, visit)
    suspects.settled(transferred.done)
    const wentWell = transferred.done.length === fetches.length && !transferred.undelivered && transferred.cut === null
    const isDeletionDue = transferred.done.some((message) => isDueOnceDelivered(message, visit))
    const most = Math.min(left, run.sessionLimit, PIECE)
    const goesOn = wentWell && !isDeletionDue && maySessionGoOn(plan, sinceMs, visit)
    const next = goesOn ? nextOf(listing, plan, from, most) : []
    if (next.length === 0) {
      const othersWait = jobs.fetches.length > 1 || plan.deletions.length > 0 || settled > 0
      return { ...transferred, settled, left, othersWait }
    }
    settled += transferred.done.length
    history.stillListed(plan.skipped + settled)
    left -= next.length
    fetches = next
    jobs = await prepareJobs(suspects.admit(fetches, plan, visit), visit)
  }
}

/** Is there nothing that waits for its QUIT, and has nothing gone wrong? */
function maySessionGoOn(plan: Plan, sinceMs: number, { run, session, tally }: Visit): boolean {
  if (tally.error !== null || run.signal.aborted || run.restrictions.stop.aborted) return false
  if (plan.deletions.length > 0 || quitDrops(session)) return false
  const ageMs = run.nowMs() - sinceMs
  return ageMs >= 0 && ageMs < LONGEST_MS
}

function nextOf(listing: Listing, { more }: Plan, from: number, most: number): readonly PlannedFetch[] {
  const fetches: PlannedFetch[] = []
  for (let place = more.next(from); place >= 0 && fetches.length < most; place = more.next(place + 1))
    fetches.push({ ...listing.entry(place), known: null })
  return fetches
}
