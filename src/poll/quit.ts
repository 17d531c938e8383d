// QUIT, which makes the server carry out the deletions: until its answer they are only marks (RFC 1939, section 6). What
// the answer leaves in doubt the next listing tells (P135, lost answer to QUIT).
import { asPopfetchError } from '../errors.ts'
import type { Plan } from './plan/plan.ts'
import type { Removable } from './removal.ts'
import { quitDrops } from './transfer/suspects.ts'
import type { Transferred } from './transfer/transfer.ts'
import type { Visit } from './visit.ts'

/** Ends the session and records the deletions. Sends no QUIT where that could lose a message. Rejects when messages were to
 *  be deleted and no answer came, with ERR_LEASE_LOST when the account is another popfetch's now. */
export async function quit(
  removed: readonly Removable[],
  { notDone, undelivered }: Transferred,
  plan: Plan,
  visit: Visit,
): Promise<void> {
  const { session, tally, history } = visit
  if (undelivered && quitDrops(session)) {
    tally.note('the session ends without QUIT: this server could drop what is not delivered yet')
    return
  }
  await commit(removed, visit)
  history.stillListed(plan.listed - removed.length - notDone)
}

async function commit(removed: readonly Removable[], { lease, run, session, tally }: Visit): Promise<void> {
  // QUIT deletes: whoever has the account now may have other plans for its messages.
  lease.requireHeld()
  try {
    const reply = await session.quit()
    if (reply.status !== 'ok') {
      tally.note(`QUIT was answered "${reply.text}": some messages may not have been removed`)
      return
    }
  } catch (error) {
    if (removed.length > 0) throw error
    // Nothing was to be deleted, so nothing depends on the answer.
    tally.note(`QUIT got no answer: ${asPopfetchError(error).message}`)
    return
  }
  tally.deleted += removed.length
  if (removed.length > 0) await run.ledger.deleted(lease, removed)
}
