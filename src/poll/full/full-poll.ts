// The part of a session in which there may be something to do, from the listing to QUIT; what comes before, and the story, is in
// poll.ts. With the code that it needs it is a chunk of its own, which a poll of a mailbox that has not changed does not load.
import type { Listing } from '../../pop3/listing/listing.ts'
import { guardView } from '../account/guard-view.ts'
import { compareListing } from '../compare/compare.ts'
import { Looks } from '../compare/looks.ts'
import { showPlan } from '../compare/dry-run.ts'
import { learnHeaders } from '../compare/learn-headers.ts'
import { recordListing } from '../compare/record-listing.ts'
import { leaveMark } from '../idle/idle.ts'
import { guard } from '../plan/guards.ts'
import { quit } from '../quit.ts'
import { remove } from '../removal.ts'
import { prepareJobs } from '../route/due.ts'
import { requireSpace } from '../route/require-space.ts'
import { keptAlive, type SessionEnd } from '../sessions.ts'
import { DeletedBefore } from '../transfer/deleted-before.ts'
import { transferOn } from '../transfer/onward.ts'
import type { OpenVisit, Visit } from '../visit.ts'
import { foresee } from './foresee.ts'

/** Where a step rejects, whoever opened the session closes it without QUIT. */
export async function fullPoll(listing: Listing, open: OpenVisit): Promise<SessionEnd> {
  const { account, history, run, session, suspects } = open
  await foresee({ listed: listing.length, new: listing.length - history.record.known }, run.configuration)
  const visit: Visit = { ...open, looks: looksIn(open) }
  await using comparison = run.ledger.compare(account.name)
  const compared = await compareListing(listing, comparison, visit)
  const { plan } = compared
  guard(await guardView(plan, compared.recovery?.newIds ?? null, visit))
  await requireSpace(plan, visit)
  if (run.options.dryRun) return await showPlan(compared, visit)
  const deletedBefore = await DeletedBefore.of(plan, comparison)
  const fetches = await recordListing(compared, visit)
  await learnHeaders(listing, compared, visit)
  const jobs = await prepareJobs(suspects.admit(fetches, plan, visit), visit)
  using _ = keptAlive(session)
  const transferred = await transferOn({ plan, listing, deletedBefore, fetches, jobs }, visit)
  const { settled, ...fetched } = transferred
  if (transferred.cut !== null)
    return { ...fetched, cut: transferred.cut, othersWait: fetched.othersWait || transferred.done.length > 0 }
  const { removed, cut: early } = await remove(transferred.done, plan, visit)
  const cut = early ?? (await quit(removed, transferred, { skipped: plan.skipped + settled }, visit))
  if (cut === null) leaveMark(listing, compared, visit)
  return { ...fetched, cut, othersWait: fetched.othersWait || transferred.done.length > 0 }
}

function looksIn({ session, history, tally, endedLooks }: OpenVisit): Looks {
  return new Looks(session, {
    get top() {
      return history.workarounds.top
    },
    shuns: (verb, message) => endedLooks.shuns(verb, message),
    came: (message) => endedLooks.came(message),
    ended: (verb, message, error) => endedLooks.ended(verb, message, error),
    loseTop: (why) => {
      tally.note(why)
      history.workarounds.loseTop()
    },
  })
}
