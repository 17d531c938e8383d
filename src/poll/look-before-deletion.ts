// A look at a message before its deletion, by RETR, where its header does not prove that it is the one that was delivered. Why
// there is none, or why it ended the session, is noted of the deletion: it is wanted, and has not happened (P131, P158).
import type { PlannedDeletion } from './plan/entry.ts'
import { BrokenLook } from './compare/looks.ts'
import type { Visit } from './visit.ts'

/** What `look` gives; null: the message stays, and why is noted. Rejects with BrokenLook. */
export async function lookBeforeDeletion<T>(
  deletion: PlannedDeletion,
  visit: Visit,
  look: () => Promise<T | null>,
): Promise<T | null> {
  const { lease, run, undone } = visit
  const note = (reason: string): Promise<void> => undone.note([deletion], reason, false, visit)
  const seen = await look().catch(async (error: unknown) => {
    if (error instanceof BrokenLook && error.isAbout(deletion))
      await note(`a look at it before its deletion ended the session: ${error.message}`)
    throw error
  })
  if (seen === null) await note('the server does not show it, so it is not deleted on doubt')
  else if (deletion.known.harm?.command === 'RETR') await run.ledger.noteHarm(lease, [deletion], null)
  return seen
}
