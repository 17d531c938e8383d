// A listing compared with the ledger, in batches, → a plan. Bounded memory and no long turn of the loop, whatever the size
// of the mailbox (P103). Most entries are known by their UIDL; the others are told apart in identify.ts.
import { BitSet } from '../../bit-set.ts'
import { setImmediate as turn } from 'node:timers/promises'
import { showsWhatItHas } from '../../config/destinations/destinations.ts'
import type { Account } from '../../config/schema.ts'
import { PopfetchError } from '../../errors.ts'
import type { AccountRecord, ComparedMessage, Comparison, EntryKey, KnownMessage } from '../../ledger/ledger.ts'
import type { Listing, ListingEntry } from '../../pop3/listing/listing.ts'
import { isSecretIn, maskRecorded, StandIns } from './stand-ins.ts'
import { firstPolicy } from '../plan/first.ts'
import { olderThan } from './since.ts'
import { takeOverFew } from './few-new-ids.ts'
import { COPIES, copiesMark, rememberedCopies } from './remembered-copies.ts'
import { Recovery } from './recovery.ts'
import type { Looks } from './looks.ts'
import { identify, isDoubtful, isResized, keyNameless, unclearNameless } from './identify.ts'
import { type Plan, Planner, type Policy, type Seen, settledBy } from '../plan/plan.ts'
import type { RunRequest } from '../run/run.ts'
import { MOST_KNOWN } from '../plan/prune.ts'
import { SettledEntries } from '../plan/settled.ts'
import { pauseAt } from '../route/paused.ts'
import type { Visit } from '../visit.ts'

const BATCH = 2000

/** Entries from which on it pays to ask the ledger for all that is settled. */
const LONG = 500

/** Of entries with another size than before, where sizes are hints: this many are looked at first. */
const SAMPLE = 64
const MANY_RESIZED = 10

export interface ComparedListing {
  readonly plan: Plan
  /** Has seen what the listing shows. */
  readonly comparison: Comparison
  /** The server lists other sizes for the same messages. */
  readonly sizesMove: boolean
  /** What is to be remembered of entries that share their UIDLs; null: nothing. */
  readonly copiesFact: string | null
  /** The UIDL of each entry told at once which message it is, and no size spoke against it. */
  readonly isPlain: boolean
  /** Recorded as gone, and listed again. */
  readonly returned: readonly EntryKey[]
  /** False: what the listing lacks may still be found in it, under another UIDL. */
  readonly isSearched: boolean
  /** Null: nothing was to be looked for. */
  readonly recovery: Recovery | null
  /** What `first` skips, in batches made one by one. */
  seen(): Iterable<readonly ListingEntry[]>
}

export interface ComparisonContext extends Pick<RunRequest, 'options'> {
  readonly comparison: Comparison
  readonly recovery: Recovery | null
  readonly account: Account
  readonly record: AccountRecord
  readonly looks: Looks
  /** May messages be retrieved to tell what they are? */
  readonly isCurious: boolean
  readonly exactSizes: boolean
  /** Is a message listed with the same size each time, as far as is known? */
  readonly sizesStay: boolean
  readonly nowMs: number
  /** By this run, in earlier sessions. */
  readonly fetched: number
  readonly sessionLimit: number
  readonly skippedToo: boolean
  readonly shows: Policy['shows']
  readonly isPaused: Policy['isPaused']
  /** What messages are aged by; see age-clock.ts. */
  readonly agedMs: number | null
  /** Did an earlier session of this poll count it as deferred? */
  readonly isCounted: (key: EntryKey) => boolean
}

/** What this session is to do with the listing. Rejects with ERR_NO_UIDL when the server cannot to tell messages by. */
export async function compareListing(listing: Listing, comparison: Comparison, visit: Visit): Promise<ComparedListing> {
  const { account, run, session, tally, history } = visit
  if (!run.options.dryRun && !history.areUidlsMasked) {
    await maskRecorded(comparison, run.ledger, visit.lease)
    history.uidlsMasked()
  }
  const context: ComparisonContext = {
    ...run,
    recovery: Recovery.of(visit),
    comparison,
    account,
    looks: visit.looks,
    isCurious: !run.options.dryRun,
    record: history.record,
    exactSizes: history.sizes.exact,
    sizesStay: history.sizesStay,
    nowMs: run.nowMs(),
    agedMs: history.agedMs,
    isCounted: (key) => tally.isDeferred(key),
    fetched: tally.totalMessages,
    skippedToo: run.restrictions.skippedToo,
    isPaused: (name) => pauseAt(name, visit.paused, run.configuration.destinations) !== null,
    shows: (name) => showsWhatItHas(name, run.configuration.destinations),
  }
  const compared = await compare(listing, context)
  if (compared.sizesMove) history.sizesMove()
  history.remember(COPIES, compared.copiesFact)
  const wanted = await run.restrictions.wanted(compared.plan, session, visit.looks)
  const { plan, returned, isComplete } = await takeOverFew(wanted, comparison, visit, (known) => planOf(known, context))
  // One message that is not shown, or ends sessions, costs the others nothing (P167, P168).
  const isBlind = !listing.hasUidls && plan.withoutUidl > 0 && plan.withoutUidl === plan.listed
  if (isBlind && !visit.endedLooks.areSome) throw noUidls(account)
  if (history.record.known + plan.new > MOST_KNOWN) throw tooManyKnown(account, history.record.known)
  tally.see(plan)
  tally.note(`on the server: ${plan.listed}, new: ${plan.new}, to fetch: ${plan.fetch.length}`)
  return { ...compared, plan, returned: [...compared.returned, ...returned], isSearched: isComplete }
}

function planOf(
  known: readonly { readonly entry: ListingEntry; readonly known: KnownMessage }[],
  context: ComparisonContext,
): Plan {
  const { nowMs, agedMs, isCounted } = context
  const planner = new Planner(policyOf(context), known.length, true, nowMs, agedMs, isCounted)
  for (const { entry, known: message } of known) planner.add(entry, message)
  return planner.finish()
}

/** Asks for headers where a UIDL does not tell; changes nothing. */
export async function compare(listing: Listing, context: ComparisonContext): Promise<ComparedListing> {
  const { comparison, recovery, record, looks, isCurious, exactSizes, nowMs, agedMs, isCounted } = context
  const comparesSizes = exactSizes || context.sizesStay
  const first = firstPolicy(context.account, record)
  const isSince = first.kind === 'since' && !record.started
  const known = (entries: readonly EntryKey[]): Promise<readonly (ComparedMessage | null)[]> =>
    record.known === 0 ? Promise.resolve([]) : comparison.known(entries)
  const older = isSince ? await olderThan(first.sinceMs, listing, looks, known) : new BitSet()
  const policy = policyOf(context, older)
  const planner = new Planner(policy, listing.length, record.started, nowMs, agedMs, isCounted)
  const ambiguous = new Set(record.known === 0 ? [] : await comparison.duplicated())
  const settled = await settledEntries(listing, policy, context)
  if (!settled.areAll || ambiguous.size > 0) {
    await listing.tellCopies()
    for (const uidl of ambiguous) settled.leave([listing.find(Buffer.from(uidl, 'latin1'))])
    settled.leave(listing.sharing())
    for (const uidl of listing.sharedUidls()) ambiguous.add(uidl)
  }
  settled.seeIn(comparison)
  planner.skip(comparison.seen, settled.deliveredSinceMs)
  const take = (entry: ListingEntry, message: ComparedMessage | null, isPlain = false): void => {
    if (message !== null) comparison.see(message.position)
    if (recovery?.takes(entry, message, isPlain) !== true) planner.add(entry, message, isPlain)
  }
  const doubtful: ListingEntry[] = []
  const resized: { readonly entry: ListingEntry; readonly message: ComparedMessage }[] = []
  const nameless: ListingEntry[] = []
  const standIns = new StandIns(listing, comparison, record.known === 0)
  const areNew = record.known === 0 && listing.areDistinct && !(await isSecretIn(listing))
  if (areNew) await addNew(listing, planner, recovery)
  for (const places of areNew ? [] : settled.others(BATCH)) {
    const entries: ListingEntry[] = []
    const shared: ListingEntry[] = []
    for (const entry of places.map((place) => listing.entry(place))) {
      if (entry.uidl === '') nameless.push(entry)
      else if (ambiguous.has(entry.uidl)) shared.push(entry)
      else entries.push(entry)
    }
    for (const entry of await standIns.shared(shared)) doubtful.push(entry)
    for (const { entry, known: message } of await standIns.keyed(entries)) {
      if (ambiguous.has(entry.uidl) || (message !== null && isDoubtful(message))) doubtful.push(entry)
      else if (message !== null && comparesSizes && isResized(entry, message, exactSizes))
        resized.push({ entry, message })
      else take(entry, message, true)
    }
    await turn()
  }
  // What stays on the server would be retrieved again at each poll.
  const byDigest = isCurious && policy.delete.kind === 'after-delivery'
  const keyed = nameless.length === 0 ? [] : await keyNameless(nameless, looks, byDigest)
  const knownByHeader = await comparison.known(keyed)
  // A dry run retrieves nothing.
  const unclear = isCurious ? await unclearNameless(keyed, comparison) : new Set<ListingEntry>()
  keyed.forEach((entry, index) => {
    if (unclear.has(entry)) doubtful.push(entry)
    else take(entry, knownByHeader[index] ?? null)
  })
  planner.leave(nameless.length - keyed.length)
  const isPlain = ambiguous.size + nameless.length + doubtful.length + resized.length === 0
  const shared = doubtful.filter(({ uidl }) => ambiguous.has(uidl))
  const copies = { fact: record.facts[COPIES], nowMs }
  const remembered = await rememberedCopies(shared, copies, planner, comparison)
  if (remembered !== null) {
    for (const { entry, known: message } of remembered) take(entry, message)
    const others = doubtful.filter(({ uidl }) => !ambiguous.has(uidl))
    doubtful.splice(0, Infinity, ...others)
  }
  const sample = exactSizes ? resized : resized.slice(0, SAMPLE)
  const others = resized.slice(sample.length)
  doubtful.push(...sample.map(({ entry }) => entry))
  const { identified, returned } = await identify(doubtful, comparison, looks, isCurious)
  const told = identified.filter(({ entry: { uidl } }) => ambiguous.has(uidl)).map((each) => each.known)
  const copiesFact = remembered === null ? copiesMark(shared, told, nowMs) : (copies.fact ?? null)
  for (const { entry, known: message } of identified) take(entry, message)
  // Many changed, and none of those that were looked at is another message: this server's sizes move by themselves.
  const among = new Set(sample.map(({ entry }) => entry.index))
  const isMoving = identified.every(({ entry, known: message }) => !among.has(entry.index) || message !== null)
  const sizesMove = !exactSizes && sample.length >= MANY_RESIZED && isMoving
  if (isMoving) for (const { entry, message } of others) take(entry, message, true)
  else {
    const more = await identify(
      others.map(({ entry }) => entry),
      comparison,
      looks,
      isCurious,
    )
    for (const { entry, known: message } of more.identified) take(entry, message)
  }
  await recovery?.lookFor(listing, planner, comparison)
  const plan = planner.finish()
  const seen = (): Iterable<readonly ListingEntry[]> => seenIn(listing, plan.seen)
  return { plan, comparison, recovery, isPlain, returned, isSearched: true, sizesMove, copiesFact, seen }
}

/** The ledger knows none of them, and each is told by its UIDL: so is nearly every first listing of an account. */
async function addNew(listing: Listing, planner: Planner, recovery: Recovery | null): Promise<void> {
  if (recovery !== null) return recovery.takeAll(listing)
  for (let at = 0; at < listing.length; at += BATCH) {
    for (const entry of listing.slice(at, at + BATCH)) planner.add(entry, null, true)
    await turn()
  }
}

async function settledEntries(listing: Listing, policy: Policy, context: ComparisonContext): Promise<SettledEntries> {
  const { comparison, record, exactSizes, sizesStay, agedMs, nowMs } = context
  const settled = new SettledEntries(listing, exactSizes || sizesStay)
  if (listing.length < LONG || record.known === 0) return settled
  const slices = comparison.settled(settledBy(policy, agedMs, nowMs), listing.length)
  for await (const slice of slices) await settled.add(slice)
  return settled
}

function* seenIn(listing: Listing, seen: Seen | null): Generator<readonly ListingEntry[]> {
  if (seen === null) return
  for (let at = 0; seen.places.size > 0 && at < listing.length; at += BATCH) {
    const entries = listing.slice(at, at + BATCH).filter(({ index }) => seen.places.has(index))
    if (entries.length > 0) yield entries
  }
  if (seen.nameless.length > 0) yield seen.nameless
}

function policyOf(
  { account, record, options, fetched, sessionLimit, skippedToo, shows, isPaused }: ComparisonContext,
  older = new BitSet(),
): Policy {
  const first = firstPolicy(account, record)
  const runLimit = options.limit === null ? null : Math.max(0, options.limit - fetched)
  const limits = [account.limit, runLimit].filter((limit) => limit !== null)
  return {
    delete: account.delete,
    first: first.kind === 'since' ? { kind: 'since', older } : first,
    limit: limits.length === 0 ? null : Math.min(...limits),
    maxSizeBytes: account.maxSizeBytes,
    // With --all, messages that came again look like those still to come, so all come in one session.
    sessionLimit: options.all ? Infinity : sessionLimit,
    all: options.all,
    skippedToo,
    markSeen: options.markSeen,
    restored: record.facts['restored'] !== undefined,
    eager: options.eager,
    shows,
    isPaused,
  }
}

function tooManyKnown({ name }: Account, known: number): PopfetchError {
  return new PopfetchError(
    'ERR_POP3_PROTOCOL',
    `the server keeps showing new messages: popfetch knows ${known} of ${name} already, and records ${MOST_KNOWN} at most. If they are gone for good: popfetch state forget ${name} --all-messages --yes`,
    { scope: 'account', retry: 'later' },
  )
}

function noUidls({ name }: Account): PopfetchError {
  return new PopfetchError(
    'ERR_NO_UIDL',
    `the server has neither UIDL nor TOP, so popfetch could not tell what it already fetched: ${name} can be polled with delete: after-delivery only`,
    { scope: 'account', retry: 'never' },
  )
}
