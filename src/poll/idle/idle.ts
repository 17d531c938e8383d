// Most polls find a mailbox as the last one left it, with nothing to do. Such a poll compares one digest. It parses no listing, looks
// nothing up in the ledger, does not ask for LIST, and reports what the usual road would. The mark by which it knows is left by a
// poll that went the usual road and found every message settled or held. Whoever takes the account's lease takes the mark with it.
// The one rule: any doubt leads to the usual road.
import type { IsKnown } from '../../pop3/listing/ask.ts'
import type { Listing } from '../../pop3/listing/listing.ts'
import type { ComparedListing } from '../compare/compare.ts'
import { settlesMs } from '../plan/age-clock.ts'
import { DELETE, deleteText } from '../plan/changed-deletes.ts'
import { quit } from '../quit.ts'
import { noRestrictions } from '../run/restrictions.ts'
import type { SessionEnd } from '../sessions.ts'
import type { OpenVisit, Visit } from '../visit.ts'

/** Tells whether a listing is the one of the mark that the last poll left; null: there is none, or it does not count. */
export function knownListing(visit: OpenVisit): IsKnown | null {
  const { account, run, history } = visit
  const isKnown = history.mark.take(run.nowMs(), { ...run.configuration, account })
  return mayBeIdle(visit) ? isKnown : null
}

/** Does nobody want anything special of this poll, and is nothing under way that takes several polls? */
function mayBeIdle({ account, run, history }: OpenVisit): boolean {
  const { dryRun, limit, all, acceptNewIds, markSeen, yes } = run.options
  if (dryRun || limit !== null || all || acceptNewIds || markSeen || yes) return false
  if (run.restrictions !== noRestrictions) return false
  const { record, takingOver, headersFrom, areUidlsMasked, ages } = history
  const { imported, restored, [DELETE]: lastDelete } = record.facts
  const isSettled = record.started && takingOver === null && imported === undefined && restored === undefined
  return isSettled && headersFrom === null && areUidlsMasked && !ages.isNew && lastDelete === deleteText(account)
}

/** The rest of a session whose listing is known: QUIT, and what the usual road would report. */
export async function endIdle(visit: OpenVisit): Promise<SessionEnd> {
  const { history, tally } = visit
  const listed = history.listedBefore ?? 0
  const skipped = history.lastAlive ?? 0
  tally.see({ listed, new: 0, skipped, deferred: 0, deferredSinceMs: null, paused: 0 })
  tally.note(`on the server: ${listed}, new: 0, to fetch: 0`)
  tally.unbegun = 0
  tally.begin([])
  tally.stage('finishing')
  history.listed(listed, true)
  // Everything that is listed is known: there was nothing to look for.
  history.looked()
  const cut = await quit([], { done: [], undelivered: false, cut: null }, { skipped }, visit)
  return { left: 0, cut, othersWait: false }
}

/** Leaves a mark for the next poll where this one found nothing to do, and the next one will not before some time has passed. */
export function leaveMark(listing: Listing, compared: ComparedListing, visit: Visit): void {
  const { run, session, history } = visit
  const { plan, isPlain, returned, isSearched } = compared
  const work = [plan.fetch, plan.deletions, plan.reprieved, plan.fromFuture, plan.holds, plan.unadopted, returned]
  const isStill = plan.new + plan.left === 0 && plan.seen === null && work.every(({ length }) => length === 0)
  // What is open waits for a time, a destination or a person; what is held, for a person alone.
  const areSettled = isPlain && isSearched && plan.waiting === plan.held && plan.skipped + plan.held === plan.listed
  if (listing.print === null || !isStill || !areSettled || !history.sawAll) return
  // What was shown there may not be listed again (P161).
  if (session.capabilities.expireDays === 0 || !mayBeIdle(visit)) return
  history.mark.leave(listing.print, run.nowMs(), [plan.agesMs, settlesMs(history.ages)])
}
