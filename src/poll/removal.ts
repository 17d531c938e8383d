// DELE, after everything is delivered and recorded, and never on doubt. A message of an earlier session is looked at once
// more first: its number must still bring the header that was delivered (P098, P130). A message that is known only by the
// name of a file in a Maildir is compared with that file (DESIGN 4.3).
import { Spool } from '../deliver/spool.ts'
import { fingerprint, splitHeader, stateBytes } from '../header.ts'
import type { EntryKey } from '../ledger/ledger.ts'
import { newIntent, originOf } from './attempt.ts'
import { compareCopy, copiesOf, type Copy } from './route/proof.ts'
import { lookAtHeaders } from './compare/identify.ts'
import { mayDelete, MOST_DELETIONS, type Plan, type PlannedDeletion, type PlannedFetch } from './plan/plan.ts'
import { compareSizes } from './account/sizes.ts'
import type { Visit } from './visit.ts'

/** So many are retrieved at once to be compared; each takes up to 1 MiB of memory. */
const COMPARED_AT_ONCE = 16

export interface Removable extends EntryKey {
  readonly number: number
}

/** The messages whose DELE was answered `+OK`; QUIT is still to come. Rejects when the session is botched. */
export async function remove(done: readonly PlannedFetch[], plan: Plan, visit: Visit): Promise<readonly Removable[]> {
  const { account, lease, run, session, history, tally } = visit
  tally.stage('finishing')
  const { agedMs } = history
  const fresh = await run.restrictions.removable(
    done.filter(({ known }) => mayDelete(account.delete, known?.firstSeenMs ?? run.nowMs(), agedMs)),
  )
  const older = await run.restrictions.removable(plan.deletions.filter(({ known }) => known.deletions < MOST_DELETIONS))
  await giveUp(plan.deletions, visit)
  const verified = [
    ...(await matching(
      older.filter(({ known }) => known.fingerprint !== null),
      visit,
    )),
    ...(await compared(
      older.filter(({ known }) => known.fingerprint === null),
      visit,
    )),
  ]
  if (verified.length < older.length) {
    tally.note(
      `${older.length - verified.length} delivered messages are kept: what the server has now does not match them`,
    )
  }
  const removable: readonly Removable[] = [...fresh, ...verified]
  lease.requireHeld()
  const replies = await Promise.all(removable.map(({ number }) => session.remove(number)))
  const refusal = replies.find(({ status }) => status !== 'ok')
  if (refusal !== undefined) tally.note(`the server refused to delete: "${refusal.text}"`)
  return removable.filter((_, at) => replies[at]?.status === 'ok')
}

/** Reports once each message that the server keeps although it was deleted again and again. */
async function giveUp(deletions: readonly PlannedDeletion[], { lease, run, tally }: Visit): Promise<void> {
  const ignored = deletions.filter(({ known }) => known.deletions === MOST_DELETIONS)
  if (ignored.length === 0) return
  const reason = `the server keeps it although it was deleted ${MOST_DELETIONS} times: not asked again`
  for (const { uidl } of ignored) tally.problem({ uidl, kind: 'undeletable', reason })
  await run.ledger.deleted(lease, ignored)
}

async function matching(
  deletions: readonly PlannedDeletion[],
  { session, history }: Visit,
): Promise<readonly PlannedDeletion[]> {
  const looks = await lookAtHeaders(deletions, session, (bytes) => {
    const header = splitHeader(bytes)
    return { print: fingerprint(header), stateBytes: stateBytes(header) }
  })
  return deletions.filter(({ known, sizeBytes }, at) => {
    const look = looks[at] ?? null
    if (look === null || known.fingerprint === null || known.receivedBytes === null) return false
    if (sizeBytes !== null && known.listedBytes !== null) {
      // Some servers add fields about a message to its header once they have shown it (P128).
      if (Math.abs(sizeBytes - known.listedBytes) > look.stateBytes) return false
    }
    const sizes = compareSizes(known.listedBytes, known.receivedBytes, history.sizes.exact)
    return sizes === 'agrees' && known.fingerprint.equals(look.print)
  })
}

/** Messages that were found by their names alone: those that stand somewhere, byte for byte as the server has them. That is
 *  recorded, and not asked again. */
async function compared(deletions: readonly PlannedDeletion[], visit: Visit): Promise<readonly PlannedDeletion[]> {
  const { account, run } = visit
  const recorded = await Promise.all(deletions.map(({ uidl }) => run.ledger.records.find(account.name, uidl)))
  const wanted = deletions.map((deletion, at) => {
    const { uidl, copy } = deletion
    const record = recorded[at]?.find(({ key }) => key.copy === copy)
    return { deletion, uidl, copy, deliveries: record?.deliveries ?? [] }
  })
  const same: PlannedDeletion[] = []
  for await (const slice of copiesOf(wanted, visit)) {
    const there = [...slice].filter(([, copies]) => copies.some(({ received }) => received !== null))
    for (let at = 0; at < there.length; at += COMPARED_AT_ONCE) {
      const batch = there.slice(at, at + COMPARED_AT_ONCE)
      const verdicts = await Promise.all(batch.map(([{ deletion }, copies]) => isThere(deletion, copies, visit)))
      same.push(...batch.flatMap(([{ deletion }], index) => (verdicts[index] === true ? [deletion] : [])))
    }
  }
  return same
}

async function isThere(deletion: PlannedDeletion, copies: readonly Copy[], visit: Visit): Promise<boolean> {
  const { account, lease, run, session } = visit
  await using spool = new Spool({
    origin: originOf(account, deletion),
    place: null,
    attempt: null,
    directory: run.destinations.spoolDirectory,
    reserve: run.destinations.reserve,
    maxSizeBytes: null,
    signal: run.signal,
  })
  const reply = await session.retrieve(deletion.number, spool)
  if (reply.status !== 'ok') return false
  const message = await spool.complete(run.nowMs())
  const verdicts = copies.map((copy) => ({ copy, verdict: compareCopy(copy, message) }))
  const others = verdicts.filter(({ verdict }) => verdict === 'other')
  const isSame = others.length === 0 && verdicts.some(({ verdict }) => verdict === 'same')
  if (!isSame && others.length === 0) return false
  const { sizeBytes: receivedBytes, digest, fingerprint, messageId } = message
  await run.ledger.confirm(lease, deletion, { receivedBytes, digest, fingerprint, messageId })
  if (!isSame) await reopen(deletion, others, visit)
  return isSame
}

/** Another message stands there under its name: the next poll delivers it (P130, S039). */
async function reopen(
  { uidl, copy, sizeBytes }: PlannedDeletion,
  others: readonly { readonly copy: Copy }[],
  { lease, run }: Visit,
): Promise<void> {
  const key = { uidl, copy }
  const deliveries = others.map(({ copy: { target, recipient } }) => ({
    destination: target.name,
    recipient,
    intent: newIntent(),
  }))
  await run.ledger.begin(lease, [{ key, listedBytes: sizeBytes, deliveries }])
  await run.ledger.abandon(lease, [{ key, reason: null, counts: false }])
}
