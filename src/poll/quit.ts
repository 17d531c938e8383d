// QUIT, which makes the server carry out the deletions: until its answer they are only marks (RFC 1939, section 6). What
// the answer leaves in doubt the next listing tells (P135, lost answer to QUIT).
import { asPopfetchError } from '../errors.ts'
import type { Plan } from './plan/plan.ts'
import type { Removable } from './removal.ts'
import type { Cut } from './sessions.ts'
import { quitDrops } from './transfer/suspects.ts'
import type { Transferred } from './transfer/transfer.ts'
import type { OpenVisit, Visit } from './visit.ts'

/** Ends the session and records the deletions. Sends no QUIT where that could lose a message. Not null: no answer
 *  came, and another session may find out why. Rejects when that is known not to help, with ERR_LEASE_LOST when the account is another popfetch's now. */
export async function quit(
  removed: readonly Removable[],
  { done, undelivered }: Transferred,
  plan: Pick<Plan, 'skipped'>,
  visit: OpenVisit & Partial<Pick<Visit, 'looks'>>,
): Promise<Cut | null> {
  const { session, tally, history, looks } = visit
  if (quitDrops(session)) {
    const delivered = new Set(done.map(({ number }) => number))
    if (undelivered || [...(looks?.open ?? [])].some((number) => !delivered.has(number))) {
      tally.note('the session ends without QUIT: this server could drop what is not delivered yet')
      return null
    }
  }
  const cut = await commit(removed, visit)
  if (cut !== null) return cut
  const gone = new Set(removed.map(({ number }) => number))
  // What was retrieved is not listed again there, whatever was asked for (P161).
  if (quitDrops(session)) for (const { number } of done) gone.add(number)
  // What was not asked for yet is as unknown to the next poll as it is now.
  history.stillListed(plan.skipped + done.length - gone.size)
  return null
}

async function commit(removed: readonly Removable[], visit: OpenVisit): Promise<Cut | null> {
  const { lease, run, session, tally, suspects, undone } = visit
  // QUIT deletes: whoever has the account now may have other plans for its messages.
  lease.requireHeld()
  try {
    const reply = await session.quit()
    if (reply.status !== 'ok') {
      const text = `QUIT was rejected: "${reply.text}"`
      tally.note(`${text}: some messages may not have been removed`)
      await undone.note(removed, text, true, visit)
      return null
    }
  } catch (error) {
    if (removed.length > 0) {
      const { botched, brokenAt } = session
      const failure = asPopfetchError(error)
      if (!run.signal.aborted) undone.doubt(removed, `the session ended before the deletion: ${failure.message}`)
      // Which of them ended the session, or whether QUIT did, the next session finds out, once (P159).
      if (botched === null || suspects.areDeletionsDoubtful || run.signal.aborted) throw failure
      const culprit = brokenAt?.verb === 'DELE' ? brokenAt.number : null
      // Loaded by whoever deleted anything.
      const { cutByDeletion } = await import('./removal.ts')
      return await cutByDeletion(removed.find(({ number }) => number === culprit) ?? null, failure, visit)
    }
    // Nothing was to be deleted, so nothing depends on the answer.
    tally.note(`QUIT got no answer: ${asPopfetchError(error).message}`)
    return null
  }
  tally.deleted += removed.length
  undone.done(removed)
  if (removed.length > 0) await run.ledger.deleted(lease, removed)
  await noteKept(removed, visit)
  return null
}

/** What was told to go before, and was listed again, probably stays: that counts until a listing lacks it (P134). */
async function noteKept(removed: readonly Removable[], { lease, run }: OpenVisit): Promise<void> {
  const kept = removed.flatMap(({ uidl, copy, known }) => {
    const times = (known?.deletions ?? 0) + 1
    const reason = `the server still has it although it was deleted ${times} times`
    return times === 1 ? [] : [{ key: { uidl, copy }, pending: { reason, tried: true } }]
  })
  if (kept.length > 0) await run.ledger.noteDeletions(lease, kept)
}
