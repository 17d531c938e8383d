// A message that is kept back: it stays on the server, and is not fetched again until a person forgets it.
import type { KnownMessage } from '../ledger/ledger.ts'
import type { Heading } from '../message.ts'
import type { PlannedHold } from './plan/entry.ts'
import type { Visit } from './visit.ts'

/** What the ledger knows of its header. */
type Named = Pick<KnownMessage, 'from' | 'subject'>

/** Records the messages as held, counts and reports them. Rejects when the ledger cannot be written. */
export async function hold(
  holds: readonly (PlannedHold & { readonly heading?: Heading; readonly known?: Named | null })[],
  { lease, run, tally }: Visit,
): Promise<void> {
  if (holds.length === 0) return
  await run.ledger.hold(
    lease,
    holds.map(({ uidl, copy, sizeBytes, reason }) => ({ key: { uidl, copy }, listedBytes: sizeBytes, reason })),
  )
  tally.held += holds.length
  for (const { uidl, reason, heading, known } of holds) {
    const { from = null, subject = null } = heading ?? known ?? {}
    tally.problem({ uidl, from, subject, kind: 'held', reason })
  }
}
