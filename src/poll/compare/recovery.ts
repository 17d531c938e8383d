// A ledger that was lost, or is an older copy, learns again what is at the destinations (DESIGN 4.3, S034–S038). What
// the ledger does not know, or knows as open, is looked for by its name before anything is decided about it.
//
// When is looked? At the first poll of each process; and as long as the account's record is being taken over, which is a state
// in the ledger. It begins with the first message that is found, covers the whole listing whatever limits say, and goes on
// after a kill. It ends once every destination that can show its messages was looked through. One rule: a message counts as
// delivered only where it stands. Every other destination still gets it.
import type { PopfetchError } from '../../errors.ts'
import type { Recollection } from '../../deliver/destination.ts'
import type { Comparison, EntryKey, KnownMessage } from '../../ledger/ledger.ts'
import type { Listing, ListingEntry } from '../../pop3/listing/listing.ts'
import { originOf } from '../attempt.ts'
import type { Planner } from '../plan/plan.ts'
import type { Visit } from '../visit.ts'
import type { NewIds } from '../plan/guards.ts'
import { areNewIdsAccepted, takeOverNewIds } from './new-ids.ts'
import { adoptionOf, lookAt, type Look, routesOf, type Sought, standsSomewhere } from './standing.ts'

/** One walk through a Maildir for this many; their hashed keys are 10 MB. */
const BATCH = 100_000
const KEYS_AT_ONCE = 5000

interface Candidate {
  readonly entry: ListingEntry
  readonly known: KnownMessage | null
}

export class Recovery {
  readonly #visit: Visit
  /** Entries of the listing that the ledger does not know, by their places: there may be a million of them. */
  readonly #places: number[] = []
  readonly #others: Candidate[] = []
  #found = 0
  #open = 0
  #renamed = 0
  #bare = 0
  /** Why a destination that shows its messages could not be looked through. */
  #down: PopfetchError | null = null

  /** Null: there is no reason to look. */
  static of(visit: Visit): Recovery | null {
    const { account, run, history } = visit
    if (run.options.dryRun) return null
    const isDue = history.takingOver !== null || history.mayBeLost || !run.looked.has(account.name)
    return isDue || run.options.acceptNewIds ? new Recovery(visit) : null
  }

  private constructor(visit: Visit) {
    this.#visit = visit
  }

  /** Is this entry of the listing to be looked for? Then it is kept for `lookFor`. */
  takes(entry: ListingEntry, known: KnownMessage | null, isPlain: boolean): boolean {
    if (known !== null && known.state !== 'open') return false
    if (known === null && isPlain) this.#places.push(entry.index)
    else this.#others.push({ entry, known })
    return true
  }

  /** All entries of a listing, each with a UIDL of its own that the ledger does not know. */
  takeAll({ length }: Listing): void {
    for (let place = 0; place < length; place++) this.#places.push(place)
  }

  /** Looks for all that was taken, records what stands somewhere, and adds everything to the plan. */
  async lookFor(listing: Listing, planner: Planner, comparison: Comparison): Promise<void> {
    const places: number[] = []
    const others: Candidate[] = []
    for (let at = 0; at < this.#places.length; at += BATCH) {
      const batch = this.#places.slice(at, at + BATCH)
      const looks = await this.#lookAt({ length: batch.length, at: (index) => listing.entry(batch[index] ?? -1) })
      // Mostly: a new account, or an old one's new mail.
      if (!standsSomewhere(looks) && !areNewIdsAccepted(this.#visit)) {
        for (const place of batch) places.push(place)
        continue
      }
      const candidates = batch.map((place) => ({ entry: listing.entry(place), known: null }))
      const settled = await this.#settleAll(candidates, looks, comparison)
      for (const candidate of candidates) if (!settled.has(candidate)) places.push(candidate.entry.index)
      await addKnown([...settled], planner, comparison)
    }
    if (this.#others.length > 0) {
      const looks = await this.#lookAt(this.#others.map(({ entry }) => entry))
      const settled = await this.#settleAll(this.#others, looks, comparison)
      for (const candidate of this.#others) if (!settled.has(candidate)) others.push(candidate)
      await addKnown([...settled], planner, comparison)
    }
    // `first` speaks of accounts that are new, not of a ledger that is (S046).
    if (this.#found > 0 || this.#visit.history.takingOver !== null) planner.keepAll()
    // What is not seen now would be skipped for good.
    else if (this.#down !== null && planner.skipsFirst) throw this.#down
    for (const place of places) planner.add(listing.entry(place), null, true)
    for (const { entry, known } of others) planner.add(entry, known)
    if (areNewIdsAccepted(this.#visit)) this.#bare = await comparison.unseenBare()
  }

  /** Of `--accept-new-ids`. */
  get newIds(): NewIds | null {
    return areNewIdsAccepted(this.#visit) ? { matched: this.#renamed, bare: this.#bare } : null
  }

  /** The plan was no mistake: the taking over is finished where all was looked through, and told once. */
  async end(): Promise<void> {
    const { history, tally } = this.#visit
    if (this.#down !== null) return
    history.looked()
    const state = await history.tookOver()
    if (state === null) return
    const { found = 0, open = 0 } = state.counts
    tally.note(
      WHY[state.why](found) + (open === 0 ? '' : `; ${open} of them still go to destinations that may lack them`),
    )
  }

  async #lookAt(entries: Sought): Promise<readonly Look[]> {
    const looks = await lookAt(entries, this.#visit)
    for (const { target } of looks) if (target.destination.remembers) this.#down ??= target.down
    return looks
  }

  /** The messages about which the ledger has learnt something. */
  async #settleAll(
    candidates: readonly Candidate[],
    looks: readonly Look[],
    comparison: Comparison,
  ): Promise<ReadonlySet<Candidate>> {
    const settled = new Set<Candidate>()
    await this.#adopt(candidates, looks, settled)
    for (const [at, candidate] of candidates.entries())
      if (candidate.known !== null && (await this.#settle(candidate.entry, candidate.known, at, looks)))
        settled.add(candidate)
    const fresh = candidates.filter((candidate) => candidate.known === null && !settled.has(candidate))
    const renamed = await takeOverNewIds(fresh, comparison, this.#visit)
    for (const candidate of renamed) settled.add(candidate)
    this.#renamed += renamed.size
    return settled
  }

  async #adopt(candidates: readonly Candidate[], looks: readonly Look[], settled: Set<Candidate>): Promise<void> {
    const { account, lease, run } = this.#visit
    const routes = routesOf(account)
    const adopted = candidates.flatMap((candidate, at) => {
      // One that is open without deliveries never came, by this ledger.
      const isFree = candidate.known === null || candidate.known.deliveries.length === 0
      const adoption = isFree ? adoptionOf(candidate.entry, at, looks, routes) : null
      return adoption === null ? [] : [{ candidate, adoption }]
    })
    if (adopted.length === 0) return
    await this.#begin()
    await run.ledger.adopt(
      lease,
      adopted.map(({ adoption }) => adoption),
    )
    for (const { candidate } of adopted) settled.add(candidate)
    this.#found += adopted.length
    this.#open += adopted.filter(
      ({ adoption }) => !adoption.complete || adoption.deliveries.some(({ state }) => state !== 'done'),
    ).length
    await this.#visit.history.foundMore({ found: this.#found, open: this.#open })
  }

  /** What an open message lacks by the ledger, and has by its destination. An attempt that the ledger knows is left to
   *  due.ts. */
  async #settle(key: EntryKey, known: KnownMessage, at: number, looks: readonly Look[]): Promise<boolean> {
    const { account, lease, run } = this.#visit
    const origin = originOf(account, key)
    let settled = false
    for (const { destination: name, recipient, state, intent } of known.deliveries) {
      const look = looks.find((one) => one.name === name)
      const standing = look?.list?.[at] ?? null
      if (look === undefined || standing === null || state === 'done' || standing.intent === intent) continue
      const attempt = { intent: standing.intent, recipient, origin }
      const recalled = await look.target.destination.recall(attempt, run.signal)
      if (recalled === null || isOther(known, recalled)) continue
      await this.#begin()
      const outcome = { state: 'done', receipt: recalled.text } as const
      const { received } = recalled
      await run.ledger.settle(lease, { key: keyOf(key), destination: name, recipient, outcome, received })
      settled = true
    }
    return settled
  }

  #begin(): Promise<void> {
    return this.#visit.history.takeOver(this.#visit.history.mayBeLost ? 'lost' : 'older')
  }
}

const WHY = {
  lost: (count: number) => `nothing was recorded for this account: ${messages(count)} found at the destinations`,
  older: (count: number) => `the ledger is an older copy: ${messages(count)} found at the destinations that it lacks`,
  'new-ids': () => 'the messages that were known are taken over under their new UIDs',
}

function messages(count: number): string {
  return count === 1 ? '1 message was' : `${count} messages were`
}

/** Another message is there under its name. */
function isOther({ fingerprint }: KnownMessage, { received }: Recollection): boolean {
  return fingerprint !== null && received !== null && !received.fingerprint.equals(fingerprint)
}

function keyOf({ uidl, copy }: EntryKey): EntryKey {
  return { uidl, copy }
}

async function addKnown(settled: readonly Candidate[], planner: Planner, comparison: Comparison): Promise<void> {
  for (let at = 0; at < settled.length; at += KEYS_AT_ONCE) {
    const slice = settled.slice(at, at + KEYS_AT_ONCE)
    const known = await comparison.known(slice.map(({ entry }) => keyOf(entry)))
    slice.forEach(({ entry }, index) => {
      const message = known[index] ?? null
      if (message !== null) comparison.see(message.position)
      planner.add(entry, message)
    })
  }
}
