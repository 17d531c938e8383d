// A few messages that the ledger knows stand under new UIDLs (N048): too few for the guard of S020 to ask a person. Where
// messages are gone from a whole listing, what is unknown in it is looked at with TOP before it is asked for. Where TOP does
// not tell, the whole message is. A message that is the same takes over its record. It is not delivered again where it was
// delivered, and goes only to a destination that lacks it. The one rule: doubt keeps the mail. A header that two messages have
// tells nothing, their digest does.
import { BitSet } from '../../bit-set.ts'
import type { ComparedMessage, Comparison, EntryKey, FingerprintedKey, KnownMessage } from '../../ledger/ledger.ts'
import { haveUidsChanged } from '../plan/guards.ts'
import { NO_UIDL } from '../plan/no-uidl.ts'
import type { ListingEntry } from '../../pop3/listing/listing.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Plan } from '../plan/plan.ts'
import { isWhole } from '../plan/prune.ts'
import { recallInterrupted } from '../route/recall.ts'
import type { Visit } from '../visit.ts'
import type { Look } from './looks.ts'

const KEYS_AT_ONCE = 5000

/** Gone messages that are remembered by their sizes alone: a server may list the same size for all. */
const MOST_BY_SIZE = 10_000

export interface FewNewIds {
  /** Without what was taken over. */
  readonly plan: Plan
  /** Recorded as gone, and here again. */
  readonly returned: readonly EntryKey[]
  /** False: something unknown was not looked at yet, so that what is gone may still be found. */
  readonly isComplete: boolean
}

interface Gone {
  readonly key: EntryKey
  readonly known: ComparedMessage
}

interface Found {
  readonly entry: PlannedFetch
  readonly gone: Gone
}

/** What is to be done with entries that are known after all. */
export type Replan = (known: readonly { readonly entry: ListingEntry; readonly known: KnownMessage }[]) => Plan

/** Rejects with BrokenLook. A dry run looks at headers only, and records nothing. */
export async function takeOverFew(
  plan: Plan,
  comparison: Comparison,
  visit: Visit,
  replan: Replan,
): Promise<FewNewIds> {
  const { lease, run, tally } = visit
  const unknown = plan.fetch.filter(({ known }) => known === null)
  // What the plan leaves for later is looked at then, in another session.
  const unchanged = { plan: { ...plan, more: new BitSet() }, returned: [], isComplete: true }
  const among = unknown.length === 0 ? null : await whereToLook(plan, comparison, visit)
  if (among === null) return unchanged
  const held = plan.holds.filter(({ known }) => (known ?? null) === null).length
  const isComplete = among === 'gone before' || unknown.length + held >= plan.new
  // Without a UIDL the header is the key: identify.ts has told those apart that have the same one.
  const withUidl = unknown.filter(({ uidl }) => !uidl.startsWith(NO_UIDL))
  const asked = among === 'gone before' ? await sizedLikeGone(withUidl, comparison, visit) : withUidl
  // Nothing is gone that could be found.
  if (asked === null) return { plan, returned: [], isComplete }
  if (asked.length === 0) return { ...unchanged, isComplete }
  // What a crash cut off has no header yet in the ledger, and has one at its destination.
  if (!run.options.dryRun) await recallInterrupted(visit)
  const shown = await visit.looks.headers(asked)
  const headers = new Map(asked.map((entry, at) => [entry, shown[at] ?? null]))
  const slices = among === 'gone before' ? comparison.goneFingerprints() : comparison.unseenFingerprints()
  const gone = await goneLike(headers, slices, comparison)
  // In the mailbox of a whole domain a header says nothing: a copy for somebody else has the same one.
  const found = visit.account.recipient?.kind === 'header' ? [] : byHeader(headers, gone, visit.history.sizes.exact)
  if (!run.options.dryRun) found.push(...(await byDigest(headers, gone, found, visit)))
  if (found.length === 0) return { ...unchanged, isComplete }
  const changes = found.map(({ entry, gone: { key } }) => ({ from: key, to: keyOf(entry) }))
  if (!run.options.dryRun) await run.ledger.rekey(lease, changes)
  for (const { known } of found.map((each) => each.gone)) comparison.see(known.position)
  tally.note(toldOf(found))
  return {
    plan: merged(unchanged.plan, found, replan),
    returned: found.filter(({ gone: { known } }) => known.goneSinceMs !== null).map(({ entry }) => keyOf(entry)),
    isComplete,
  }
}

function toldOf(found: readonly Found[]): string {
  const areDelivered = found.every(({ gone: { known } }) => known.state === 'delivered')
  const [which, what] = areDelivered ? ['delivered', 'not delivered again'] : ['known', 'with their records']
  return found.length === 1
    ? `1 ${which} message has a new UID: taken over, ${what.replace('their records', 'its record')}`
    : `${found.length} ${which} messages have new UIDs: taken over, ${what}`
}

/** The plan with these recognised. What is due to be deleted waits for the next poll, which finds it by its UIDL. */
function merged(plan: Plan, found: readonly Found[], replan: Replan): Plan {
  const taken = new Set(found.map(({ entry }) => entry))
  const more = replan(found.map(({ entry, gone: { known } }) => ({ entry, known })))
  return {
    ...plan,
    new: plan.new - found.length,
    skipped: plan.skipped + more.skipped,
    waiting: plan.waiting + more.waiting,
    held: plan.held + more.held,
    deferred: plan.deferred + more.deferred,
    fetch: [...plan.fetch.filter((entry) => !taken.has(entry)), ...more.fetch],
    reprieved: [...plan.reprieved, ...more.reprieved],
    holds: [...plan.holds, ...more.holds],
  }
}

/** `now`: a complete listing lacks a message that nobody asked to delete. `gone before`: nothing is, but it may have been gone
 *  in an earlier listing. Null: nothing is looked for; of many new ones the guard asks a person first. */
async function whereToLook(plan: Plan, comparison: Comparison, visit: Visit): Promise<'now' | 'gone before' | null> {
  const { history, session } = visit
  // A person said so, and new-ids.ts has looked: that is over once the plan is recorded.
  if (history.takingOver?.why === 'new-ids') return null
  // What was retrieved is not listed again there: it says nothing, and a look is not to drop a message (P161).
  if (session.capabilities.expireDays === 0 || haveUidsChanged({ plan, lastAlive: history.lastAlive })) return null
  const { present, removed } = await comparison.counts()
  const view = { listed: plan.listed, listedBefore: history.listedBefore, present, removed }
  if (!isWhole(view)) return null
  return comparison.seen + removed < present ? 'now' : 'gone before'
}

/** Those of the size of a message that is gone: where people delete their mail elsewhere, new mail is to cost no look. Null: none
 *  is gone. */
async function sizedLikeGone(
  unknown: readonly PlannedFetch[],
  comparison: Comparison,
  { history }: Visit,
): Promise<readonly PlannedFetch[] | null> {
  const sizes = new Set<number>()
  let isSizeless = !history.sizesStay
  let gone = 0
  for await (const slice of comparison.goneFingerprints()) {
    for (const message of await comparison.known(slice.map(({ key }) => key))) {
      gone++
      const size = message?.listedBytes ?? null
      if (size === null) isSizeless = true
      else sizes.add(size)
    }
    if (isSizeless) break
  }
  if (gone === 0) return null
  return isSizeless ? unknown : unknown.filter(({ sizeBytes }) => sizeBytes === null || sizes.has(sizeBytes))
}

/** Messages that are gone, without our doing, and have the header or the listed size of one of these. Their state does not
 *  matter: skipped messages, or those of another program, would come again as well. */
async function goneLike(
  headers: ReadonlyMap<PlannedFetch, Look | null>,
  slices: AsyncIterable<readonly FingerprintedKey[]>,
  comparison: Comparison,
): Promise<readonly Gone[]> {
  const prints = new Set([...headers.values()].flatMap((look) => look?.fingerprint.toString('hex') ?? []))
  const sizes = new Set([...headers.keys()].flatMap(({ sizeBytes }) => sizeBytes ?? []))
  const gone: Gone[] = []
  let bySize = 0
  for await (const slice of slices) {
    for (let at = 0; at < slice.length; at += KEYS_AT_ONCE) {
      const keys = slice.slice(at, at + KEYS_AT_ONCE)
      const messages = await comparison.known(keys.map(({ key }) => key))
      for (const [place, { key, fingerprint }] of keys.entries()) {
        const known = messages[place] ?? null
        if (known === null || known.deletions > 0) continue
        if (!prints.has(fingerprint.toString('hex'))) {
          if (known.listedBytes === null || !sizes.has(known.listedBytes) || ++bySize > MOST_BY_SIZE) continue
        }
        gone.push({ key, known })
      }
    }
  }
  return gone
}

/** Pairs what one unknown entry and one gone message alone have in common. */
function byHeader(
  headers: ReadonlyMap<PlannedFetch, Look | null>,
  gone: readonly Gone[],
  exactSizes: boolean,
): Found[] {
  const entries = Map.groupBy(headers, ([, look]) => look?.fingerprint.toString('hex'))
  const candidates = Map.groupBy(gone, ({ known }) => known.fingerprint?.toString('hex'))
  return [...entries].flatMap(([print, [first, ...others]]) => {
    const [candidate, ...more] = print === undefined ? [] : (candidates.get(print) ?? [])
    if (first === undefined || candidate === undefined || others.length > 0 || more.length > 0) return []
    const [entry, look] = first
    return exactSizes && !isSameSize(entry, candidate.known, look?.stateBytes ?? 0) ? [] : [{ entry, gone: candidate }]
  })
}

/** But for what a server notes in the header itself (P128). */
function isSameSize({ sizeBytes }: PlannedFetch, { receivedBytes }: ComparedMessage, notes: number): boolean {
  return sizeBytes === null || receivedBytes === null || Math.abs(sizeBytes - receivedBytes) <= notes
}

/** What TOP did not tell (P158), of the size of a gone message, is looked at whole. Messages with the same digest are paired
 *  one by one. */
async function byDigest(
  headers: ReadonlyMap<PlannedFetch, Look | null>,
  gone: readonly Gone[],
  before: readonly Found[],
  visit: Visit,
): Promise<readonly Found[]> {
  const { looks } = visit
  const told = new Set(before.map(({ entry }) => entry))
  const left = new Set(gone)
  for (const each of before) left.delete(each.gone)
  const bySize = Map.groupBy(left, ({ known }) => known.listedBytes)
  const found: Found[] = []
  for (const [entry, header] of headers) {
    const alike = entry.sizeBytes === null || told.has(entry) ? [] : (bySize.get(entry.sizeBytes) ?? [])
    if (!alike.some((each) => left.has(each))) continue
    const look = await looks.whole(entry)
    const digest = look?.whole?.digest
    const same =
      digest === undefined
        ? undefined
        : alike.find((each) => left.has(each) && each.known.digest?.equals(digest) === true)
    if (look === null || same === undefined) continue
    left.delete(same)
    // What a destination lacks is not done with: it is still to be delivered.
    if (same.known.state === 'delivered' || same.known.state === 'seen') looks.settle(entry)
    if (header === null || !header.fingerprint.equals(look.fingerprint)) looks.loseTop()
    found.push({ entry, gone: same })
  }
  return found
}

function keyOf({ uidl, copy }: EntryKey): EntryKey {
  return { uidl, copy }
}
