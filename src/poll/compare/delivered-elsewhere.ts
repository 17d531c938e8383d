// Deletion of messages that another program delivered, as `import --take-over` says. Only their UIDL is known, the time when
// that program saw them, and perhaps their header. So each is looked at once before it goes. The one rule: what the server took
// after the other program saw that UIDL is another message, and stays.
import type { KnownMessage } from '../../ledger/ledger.ts'
import type { PlannedDeletion } from '../plan/entry.ts'
import { lookBeforeDeletion } from '../look-before-deletion.ts'
import type { Visit } from '../visit.ts'
import { ANOTHER_MESSAGE } from './identify.ts'
import type { Look } from './looks.ts'

/** The clocks of a server and of the other program's machine may differ, and their time zones may be wrong. */
const SLACK_MS = 86_400_000

/** Those of the deletions that show a header which the other program can have fetched. Rejects with BrokenLook. */
export async function stillThere(
  deletions: readonly PlannedDeletion[],
  visit: Visit,
): Promise<readonly PlannedDeletion[]> {
  const { looks, undone } = visit
  const headers = await looks.headers(deletions)
  const same: PlannedDeletion[] = []
  for (const [at, deletion] of deletions.entries()) {
    const look = headers[at] ?? (await lookBeforeDeletion(deletion, visit, () => looks.whole(deletion)))
    if (look === null) continue
    const fault = faultOf(deletion, look)
    if (fault !== null) {
      await undone.note([deletion], fault, false, visit)
      continue
    }
    if (look.whole !== null) looks.settle(deletion)
    same.push(deletion)
  }
  return same
}

function faultOf({ known }: { readonly known: KnownMessage }, { fingerprint, receivedMs }: Look): string | null {
  if (known.fingerprint?.equals(fingerprint) === false) return ANOTHER_MESSAGE
  return receivedMs !== null && receivedMs > known.firstSeenMs + SLACK_MS
    ? 'it came after the other program saw its UIDL, so it may be another message: kept on the server'
    : null
}
