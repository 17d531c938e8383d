// DELE, after everything is delivered and recorded, and never on doubt. A message of an earlier session is looked at once more
// first: its number must still bring the header that was delivered (P098, P130). A message that is known only by the name of a
// file in a Maildir is compared with that file (DESIGN 4.3). One that another program delivered is looked at.
import { Spool } from '../deliver/spool.ts'
import type { Delivery, EntryKey, KnownMessage } from '../ledger/ledger.ts'
import type { PopfetchError } from '../errors.ts'
import { receivedFacts } from '../heading.ts'
import type { Session } from '../pop3/session.ts'
import type { Reply } from '../pop3/wire/reply.ts'
import { ExpiredToken } from '../pop3/wire/reply-error.ts'
import { newIntent, originOf } from './attempt.ts'
import { compareCopy, copiesOf, type Copy } from './route/proof.ts'
import { stillThere } from './compare/delivered-elsewhere.ts'
import { ANOTHER_MESSAGE } from './compare/identify.ts'
import { isSame, type Look } from './compare/looks.ts'
import { isDueDeletion, MOST_DELETIONS } from './plan/moments.ts'
import type { PlannedDeletion, PlannedFetch } from './plan/entry.ts'
import { mayDelete, type Plan } from './plan/plan.ts'
import { lookBeforeDeletion } from './look-before-deletion.ts'
import { compareSizes } from './account/sizes.ts'
import type { Cut } from './sessions.ts'
import type { OpenVisit, Visit } from './visit.ts'

/** This many are retrieved at once to be compared; each takes up to 1 MiB of memory. */
const COMPARED_AT_ONCE = 16

/** At most this many are deleted one by one in a session: each takes two exchanges. */
const MOST_CAREFUL = 200

export interface Removable extends EntryKey {
  readonly number: number
  readonly known: KnownMessage | null
}

export interface Removed {
  /** Their DELE was answered `+OK`; QUIT is still to come. */
  readonly removed: readonly Removable[]
  /** Not null: a DELE ended the session, and all of them stay. */
  readonly cut: Cut | null
}

/** Sends DELE for what is due. Rejects when a look or something else botched the session. */
export async function remove(done: readonly PlannedFetch[], plan: Plan, visit: Visit): Promise<Removed> {
  const { run, tally, suspects } = visit
  tally.stage('finishing')
  const fresh = await run.restrictions.removable(done.filter((message) => isDueOnceDelivered(message, visit)))
  const wanted = await run.restrictions.removable(
    plan.deletions.filter(({ known }) => isDueDeletion(known, run.nowMs())),
  )
  await giveUp(plan.deletions, visit)
  const { harmless, alone } = suspects.admitDeletions(wanted, fresh.length > 0, visit)
  return await send([...fresh, ...(await verified([...harmless, ...alone], visit))], visit)
}

/** Is it to be deleted as soon as it is delivered? One that waited for long before it came may be old enough. */
export function isDueOnceDelivered({ known }: PlannedFetch, { account, run, history }: Visit): boolean {
  return mayDelete(account.delete, known?.firstSeenMs ?? run.nowMs(), history.agedMs)
}

/** Those of the deletions that the server still has as they were delivered. */
async function verified(deletions: readonly PlannedDeletion[], visit: Visit): Promise<readonly PlannedDeletion[]> {
  const received = deletions.filter(({ known }) => known.digest !== null)
  const { adopted, elsewhere } = await notReceived(
    deletions.filter(({ known }) => known.digest === null),
    visit,
  )
  const proven = await compared(adopted, visit)
  const isProven = new Set(proven)
  const unproven = adopted.flatMap(({ deletion }) =>
    isProven.has(deletion) || visit.undone.has(deletion) ? [] : [deletion],
  )
  const unprovenBecause = 'no copy of it was found that could be compared with it: kept on the server'
  await visit.undone.note(unproven, unprovenBecause, false, visit)
  return [...(await matching(received, visit)), ...proven, ...(await stillThere(elsewhere, visit))]
}

type Adopted = EntryKey & { readonly deletion: PlannedDeletion; readonly deliveries: readonly Delivery[] }

/** Messages that popfetch knows as delivered though it did not receive them: those found at a destination, and those that
 *  another program delivered. */
async function notReceived(
  deletions: readonly PlannedDeletion[],
  { account, run }: Visit,
): Promise<{ readonly adopted: readonly Adopted[]; readonly elsewhere: readonly PlannedDeletion[] }> {
  const recorded = await Promise.all(deletions.map(({ uidl }) => run.ledger.records.find(account.name, uidl)))
  const all = deletions.map((deletion, at) => {
    const { uidl, copy } = deletion
    const record = recorded[at]?.find(({ key }) => key.copy === copy)
    return { deletion, uidl, copy, deliveries: record?.deliveries ?? [] }
  })
  return {
    adopted: all.filter(({ deliveries }) => deliveries.length > 0),
    elsewhere: all.filter(({ deliveries }) => deliveries.length === 0).map(({ deletion }) => deletion),
  }
}

async function send(removable: readonly Removable[], visit: Visit): Promise<Removed> {
  const { lease, run, session, tally, suspects, undone } = visit
  lease.requireHeld()
  const { answers, last } = suspects.areDeletionsDoubtful
    ? await carefully(removable.slice(0, MOST_CAREFUL), session)
    : await together(removable, session)
  const { botched } = session
  if (botched !== null) {
    const culprit = last ?? brokenAt(removable, session)
    if (botched instanceof ExpiredToken || run.signal.aborted) throw botched
    undone.doubt(removable, `the session ended before the deletion: ${botched.message}`)
    return { removed: [], cut: await cutByDeletion(culprit, botched, visit) }
  }
  const removed: Removable[] = []
  const refused = new Map<string, Removable[]>()
  for (const [at, answer] of answers.entries()) {
    const message = removable[at]
    if (message === undefined || answer === null) continue
    if (answer.status === 'ok') removed.push(message)
    else refused.set(answer.text, [...(refused.get(answer.text) ?? []), message])
  }
  for (const [text, messages] of refused) {
    tally.note(`the server refused to delete: "${text}"`)
    await undone.note(messages, `the server refused to delete it: "${text}"`, true, visit)
  }
  return { removed, cut: null }
}

interface Answers {
  /** Null: none came. */
  readonly answers: readonly (Reply | null)[]
  /** The one after which the session ended; null: that is not known. */
  readonly last: Removable | null
}

async function together(removable: readonly Removable[], session: Session): Promise<Answers> {
  const answers = await Promise.allSettled(removable.map(({ number }) => session.remove(number)))
  return { answers: answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : null)), last: null }
}

/** One by one, with a question after each, so that an end of the session belongs to one of them. */
async function carefully(removable: readonly Removable[], session: Session): Promise<Answers> {
  const answers: (Reply | null)[] = []
  for (const message of removable) {
    try {
      answers.push(await session.remove(message.number))
      await session.noop()
    } catch {
      return { answers, last: message }
    }
  }
  return { answers, last: null }
}

function brokenAt(removable: readonly Removable[], session: Session): Removable | null {
  const { verb, number } = session.brokenAt ?? {}
  return verb === 'DELE' ? (removable.find((message) => message.number === number) ?? null) : null
}

/** A DELE, or the QUIT behind it, ended the session and nothing was deleted: the next session finds out which it was (P159). */
export async function cutByDeletion(culprit: Removable | null, error: PopfetchError, visit: OpenVisit): Promise<Cut> {
  const { lease, run, session, tally, suspects, undone } = visit
  suspects.doubtDeletions()
  if (culprit !== null) {
    await run.ledger.noteHarm(lease, [culprit], 'DELE')
    await undone.note([culprit], `DELE ended the session: ${error.message}`, true, visit)
  }
  tally.note(`the server cannot handle a deletion: ${error.message}`)
  const wasExpected = culprit !== null && suspects.isAlone(culprit)
  return { error, pipelined: session.pipelining, wasExpected }
}

/** Remembers what the server keeps although it was deleted again and again. It is reported once. */
async function giveUp(deletions: readonly PlannedDeletion[], visit: Visit): Promise<void> {
  const { lease, run } = visit
  const ignored = deletions.filter(({ known }) => known.deletions === MOST_DELETIONS)
  const reason = `the server still has it although it was deleted ${MOST_DELETIONS} times: from now on it is asked once a day`
  if (ignored.length > 0) await run.ledger.deleted(lease, ignored)
  // Told now, though it was counted before.
  const told = ignored.map(({ uidl, copy }) => ({ uidl, copy, known: null }))
  await visit.undone.note(told, reason, true, visit)
  const again = deletions.filter(({ known }) => known.deletions > MOST_DELETIONS && known.deletion === null)
  await visit.undone.note(again, reason, false, visit)
}

/** Looks at each with TOP. If that does not show that it is the same message, RETR reads all of it (P158). */
async function matching(deletions: readonly PlannedDeletion[], visit: Visit): Promise<readonly PlannedDeletion[]> {
  const { looks, history } = visit
  const isWhole = ({ known }: PlannedDeletion): boolean =>
    compareSizes(known.listedBytes, known.receivedBytes ?? 0, history.sizes.exact) === 'agrees'
  const short = deletions.filter((deletion) => !isWhole(deletion))
  await visit.undone.note(short, 'its size differs from the announced one: kept on the server', false, visit)
  const whole = deletions.filter(isWhole)
  const headers = await looks.headers(whole)
  const same: PlannedDeletion[] = []
  for (const [at, deletion] of whole.entries()) {
    const header = headers[at] ?? null
    if ((header !== null && isLike(deletion, header)) || (await isProven(deletion, header, visit))) same.push(deletion)
  }
  return same
}

/** By its header and its size, as far as those tell. */
function isLike({ known, sizeBytes }: PlannedDeletion, look: Look): boolean {
  const grown = sizeBytes === null || known.listedBytes === null ? 0 : Math.abs(sizeBytes - known.listedBytes)
  return grown <= look.stateBytes && isSame(known, look)
}

async function isProven(deletion: PlannedDeletion, header: Look | null, visit: Visit): Promise<boolean> {
  const { looks } = visit
  const look = await lookBeforeDeletion(deletion, visit, () => looks.whole(deletion))
  if (look === null) return false
  if (!isSame(deletion.known, look)) {
    await visit.undone.note([deletion], ANOTHER_MESSAGE, false, visit)
    return false
  }
  looks.settle(deletion)
  if (header === null || !header.fingerprint.equals(look.fingerprint)) looks.loseTop()
  return true
}

/** Messages that were found by their names alone: those that stand somewhere, byte for byte as the server has them. That is
 *  recorded, and not asked again. */
async function compared(adopted: readonly Adopted[], visit: Visit): Promise<readonly PlannedDeletion[]> {
  const same: PlannedDeletion[] = []
  for await (const slice of copiesOf(adopted, visit)) {
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
  const { account, lease, run, looks } = visit
  await using spool = new Spool({
    origin: originOf(account, deletion),
    place: null,
    attempt: null,
    directory: run.destinations.spoolDirectory,
    reserve: run.destinations.reserve,
    maxSizeBytes: null,
    signal: run.signal,
  })
  const look = async (): Promise<true | null> => ((await looks.retrieve(deletion, spool)) ? true : null)
  if ((await lookBeforeDeletion(deletion, visit, look)) === null) return false
  const message = await spool.complete(run.nowMs())
  const verdicts = copies.map((copy) => ({ copy, verdict: compareCopy(copy, message) }))
  const others = verdicts.filter(({ verdict }) => verdict === 'other')
  const isSame = others.length === 0 && verdicts.some(({ verdict }) => verdict === 'same')
  if (!isSame && others.length === 0) return false
  // What was received counts as delivered from then on: so first what is to be delivered yet.
  if (!isSame) await reopen(deletion, others, visit)
  const isProven = isSame || verdicts.every(({ verdict }) => verdict !== 'unclear')
  if (isProven) await run.ledger.confirm(lease, deletion, receivedFacts(message))
  if (isSame) looks.settle(deletion)
  return isSame
}

/** Another message is there under its name: the next poll delivers it (P130, S039). */
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
