// DELE, after everything is delivered and recorded, and never on doubt. A message of an earlier session is looked at once
// more before it goes: its number must still bring the header that was delivered (P098, P130).
import type { Account } from '../config/schema.ts'
import { fingerprint, splitHeader } from '../header.ts'
import type { Session } from '../pop3/session.ts'
import { mayDelete, type Plan, type PlannedDeletion, type PlannedFetch } from './plan.ts'
import type { Run } from './run.ts'
import { compareSizes, type SizeWatch } from './sizes.ts'
import type { Tally } from './tally.ts'

/** Headers asked for at once: each answer is up to 64 KiB. */
const HEADERS_AT_ONCE = 64

export interface Removable {
  readonly number: number
  readonly uidl: string
  readonly copy: number
}

export interface RemovalContext {
  readonly account: Account
  readonly run: Run
  readonly session: Session
  readonly sizes: SizeWatch
  readonly tally: Tally
  /** See age-clock.ts. */
  readonly agedMs: number | null
}

/** The messages whose DELE was answered `+OK`; QUIT is still to come. Rejects when the session is botched. */
export async function remove(
  done: readonly PlannedFetch[],
  plan: Plan,
  context: RemovalContext,
): Promise<readonly Removable[]> {
  const { account, run, session, agedMs } = context
  const fresh = done.filter(({ known }) => mayDelete(account.delete, known?.firstSeenMs ?? run.nowMs(), agedMs))
  const older = await verified(plan.deletions, context)
  const removable: readonly Removable[] = [...fresh, ...older]
  const replies = await Promise.all(removable.map(({ number }) => session.remove(number)))
  const removed = removable.filter((_, at) => replies[at]?.status === 'ok')
  const refusal = replies.find(({ status }) => status !== 'ok')
  if (refusal !== undefined) {
    context.tally.note(`the server refused ${removable.length - removed.length} deletions: "${refusal.text}"`)
  }
  return removed
}

async function verified(
  deletions: readonly PlannedDeletion[],
  { session, sizes, tally }: RemovalContext,
): Promise<readonly PlannedDeletion[]> {
  const same: PlannedDeletion[] = []
  for (let at = 0; at < deletions.length; at += HEADERS_AT_ONCE) {
    const batch = deletions.slice(at, at + HEADERS_AT_ONCE)
    const headers = await Promise.all(batch.map(({ number }) => session.header(number)))
    batch.forEach((deletion, index) => {
      const header = headers[index] ?? null
      if (header !== null && isSame(deletion, header, sizes)) same.push(deletion)
    })
  }
  if (same.length < deletions.length) {
    tally.note(
      `${deletions.length - same.length} delivered messages are kept: what the server shows now does not match them`,
    )
  }
  return same
}

function isSame({ known, sizeBytes }: PlannedDeletion, header: Buffer, sizes: SizeWatch): boolean {
  if (known.fingerprint === null || known.receivedBytes === null) return false
  if (sizeBytes !== null && known.listedBytes !== null && sizeBytes !== known.listedBytes) return false
  if (compareSizes(known.listedBytes, known.receivedBytes, sizes.exact) !== 'agrees') return false
  return known.fingerprint.equals(fingerprint(splitHeader(header)))
}
