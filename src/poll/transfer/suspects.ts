// Messages that may harm others: by bringing us down (P122), by an end that came too early and may be forged (P113), by ending
// their session (P110, P124, P160). The ledger remembers them, by their harm or by the reason that was recorded. The one rule:
// nothing is asked for behind a suspect. One that ended a session is asked for last, alone, in its own session.
import { BitSet } from '../../bit-set.ts'
import type { EntryKey } from '../../ledger/ledger.ts'
import type { PopfetchError } from '../../errors.ts'
import type { Heading } from '../../message.ts'
import type { Session } from '../../pop3/session.ts'
import { harmlessFromMs, hasCome, isDueDeletion } from '../plan/moments.ts'
import { isDueMessage, isFresh, type PlannedDeletion, type PlannedFetch } from '../plan/entry.ts'
import type { Plan } from '../plan/plan.ts'
import type { Tally } from '../tally.ts'

const ENDED = 'ended the session: '
const SHORT = 'short: '

/** This many may fail in one poll: each takes a session of its own, and perhaps the whole time limit. */
const MOST_FAILED = 3

/** This many sessions of a poll may end for the sake of a message. */
const MOST_CUT = 5

type Suspect = Pick<PlannedFetch, 'known' | 'sizeBytes'>

/** Is it to be fetched with nothing else under way? */
export function isSuspect(job: Suspect | undefined): boolean {
  return job !== undefined && ((job.known?.attempts ?? 0) >= 2 || wasShort(job) || endedSession(job))
}

/** Does QUIT drop what was retrieved, delivered or not (EXPIRE 0, P129)? */
export function quitDrops({ capabilities }: Session): boolean {
  return capabilities.expireDays === 0
}

/** A poll as far as suspects are concerned. */
interface Circumstances {
  readonly tally: Pick<Tally, 'keptForItself'>
  readonly session: Session
  readonly history: { readonly hasLongLoginDelay: boolean }
  readonly run: { readonly nowMs: () => number; readonly options: { readonly eager: boolean; readonly all: boolean } }
}

/** The messages of one poll that wait for a session of their own, and those that did not come. */
export class Suspects {
  #areWaiting = false
  /** Sessions that were cut, and whether one came to its QUIT after the last message was delivered. */
  #cuts = 0
  #isCommitted = false
  #hasEndedWell = false
  readonly #tried = new Set<string>()
  /** What this session was given, and what sessions that came to their end were: nobody waits twice in a poll for what did
   *  not come. */
  #given: readonly PlannedFetch[] = []
  readonly #givenBefore = new Set<string>()
  /** With `--all`, where the ledger does not tell it: what came in this poll, and is not asked for again in it. */
  #came: Set<string> | null = null
  #alone: string | null = null
  #areDeletionsDoubtful = false
  #failed = 0
  readonly #headings = new Map<string, Heading>()
  readonly #missing = new Map<string, { readonly fetch: PlannedFetch; readonly reason: string }>()

  /** Were some left for the next session of this poll? */
  get areWaiting(): boolean {
    return this.#areWaiting
  }

  /** What of `fetches` this session takes. What a destination did not take in this poll waits for the next one. A message that ended a session before waits for one of its own. Where QUIT drops
   *  what was retrieved, so does every message that failed: one that fails again must not cost the others their QUIT. */
  admit(planned: readonly PlannedFetch[], plan: Plan, circumstances: Circumstances): readonly PlannedFetch[] {
    const admitted = this.#admitted(planned, plan, circumstances)
    this.#given = admitted
    return admitted
  }

  #admitted(planned: readonly PlannedFetch[], { deletions }: Plan, circumstances: Circumstances) {
    const { session, history, run, tally } = circumstances
    if (run.options.all) this.#came ??= new Set()
    const isOver = (fetch: PlannedFetch): boolean =>
      this.#came?.has(nameOf(fetch)) === true || tally.keptForItself(fetch)
    const fetches = planned.filter((fetch) => !isOver(fetch))
    const harmless = fetches.filter((fetch) => !endedSession(fetch) && !this.#wasGivenBefore(fetch))
    const first = quitDrops(session) ? harmless.filter(isFresh) : harmless
    const failed = quitDrops(session) ? harmless.filter((fetch) => !isFresh(fetch)) : []
    const due = fetches.filter((fetch) => endedSession(fetch) && this.#isDue(fetch, run))
    const mayGoOn = !history.hasLongLoginDelay
    if (first.length > 0 || (!this.#isCommitted && deletions.some((each) => this.#isWorthASession(each, run)))) {
      this.#areWaiting = mayGoOn && (failed.length > 0 || due.length > 0)
      return first
    }
    if (failed.length > 0) {
      this.#areWaiting = mayGoOn && due.length > 0
      return failed
    }
    const [next] = due.toSorted((a, b) => harmTimes(a) - harmTimes(b))
    if (next !== undefined) {
      this.#tried.add(nameOf(next))
      // Until it has come.
      this.#failed++
    }
    this.#areWaiting = mayGoOn && due.length > 1
    return next === undefined ? [] : [next]
  }

  #wasGivenBefore(fetch: EntryKey): boolean {
    // Nearly always none was, and a name is not made for nothing.
    return this.#givenBefore.size > 0 && this.#givenBefore.has(nameOf(fetch))
  }

  #isDue(fetch: EntryKey & Pick<Suspect, 'known'>, { nowMs, options }: Circumstances['run']): boolean {
    const rests = !options.eager && !hasCome(harmlessFromMs(fetch.known?.harm ?? null), nowMs())
    return !rests && this.#failed < MOST_FAILED && !this.#tried.has(nameOf(fetch))
  }

  /** Which deletions this session sends. One whose DELE ended a session is sent alone, once the others are committed (P159);
   *  `others`: there are more than these. */
  admitDeletions(
    deletions: readonly PlannedDeletion[],
    others: boolean,
    { history, run }: Circumstances,
  ): { readonly harmless: readonly PlannedDeletion[]; readonly alone: readonly PlannedDeletion[] } {
    // TOP did not prove what it is, or a look at it would not have been a RETR.
    const isHarmful = ({ known: { harm } }: PlannedDeletion): boolean =>
      harm?.command === 'DELE' || harm?.command === 'RETR'
    const harmful = deletions.filter(isHarmful)
    if (harmful.length === 0) return { harmless: deletions, alone: [] }
    const harmless = deletions.filter((deletion) => !isHarmful(deletion))
    const due = harmful.filter((deletion) => this.#isDue(deletion, run))
    if (others || (!this.#isCommitted && harmless.some((each) => this.#isWorthASession(each, run)))) {
      this.#areWaiting ||= due.length > 0 && !history.hasLongLoginDelay
      return { harmless, alone: [] }
    }
    const [next] = due.toSorted((a, b) => harmTimes(a) - harmTimes(b))
    if (next === undefined) return { harmless, alone: [] }
    this.#alone = nameOf(next)
    this.#tried.add(nameOf(next))
    this.#areWaiting ||= due.length > 1 && !history.hasLongLoginDelay
    return { harmless: [], alone: [next] }
  }

  /** Does it go before what ends sessions? What was tried in vain gets one session a poll: it may go now (P131). */
  #isWorthASession({ known }: PlannedDeletion, { nowMs }: Circumstances['run']): boolean {
    return isDueDeletion(known, nowMs()) && (known.deletion === null || !this.#hasEndedWell)
  }

  /** Did a DELE, or the QUIT behind it, end a session of this poll? */
  get areDeletionsDoubtful(): boolean {
    return this.#areDeletionsDoubtful
  }

  doubtDeletions(): void {
    this.#areDeletionsDoubtful = true
  }

  /** Was it sent with no other deletion? */
  isAlone(deletion: EntryKey): boolean {
    return this.#alone === nameOf(deletion)
  }

  /** It ended its session. `isCertain`: nothing else was under way, so another try today would teach nothing. */
  ended(fetch: EntryKey, isCertain: boolean): void {
    if (isCertain) this.#tried.add(nameOf(fetch))
  }

  /** It did not come, for now. */
  miss(fetch: PlannedFetch, reason: string): void {
    this.#missing.set(nameOf(fetch), { fetch, reason })
  }

  /** What a person knows it by. */
  name(fetch: EntryKey, heading: Heading): void {
    this.#headings.set(nameOf(fetch), heading)
  }

  /** It was received after all. */
  came(fetch: EntryKey): void {
    this.#came?.add(nameOf(fetch))
    // Nearly always there are none, and a name is not made for nothing.
    if (this.#missing.size > 0) this.#missing.delete(nameOf(fetch))
    if (this.#failed > 0 && this.#tried.has(nameOf(fetch))) this.#failed--
    this.#isCommitted = false
  }

  /** These have come to their end: no other session of this poll is given them, and nothing is remembered of them. */
  settled(fetches: readonly PlannedFetch[]): void {
    const settled = new BitSet()
    for (const { index } of fetches) settled.add(index)
    this.#given = this.#given.filter(({ index }) => !settled.has(index))
  }

  /** A session came to its end, with QUIT or where none is to be said. */
  endedWell(): void {
    this.#isCommitted = true
    this.#hasEndedWell = true
    for (const fetch of this.#given) this.#givenBefore.add(nameOf(fetch))
    this.#given = []
  }

  /** A session was cut. May another one follow? */
  mayFollowCut(): boolean {
    return ++this.#cuts <= MOST_CUT
  }

  /** A session ended for a message that was asked for alone: is that the message's fault alone? Not where no session of this
   *  poll did better, unless it was to be expected. And not where a second one fails likewise and nothing came. */
  isContained(wasExpected: boolean, broughtSome: boolean): boolean {
    if (this.#missing.size === 0 && this.#alone === null) return false
    return this.#hasEndedWell || (wasExpected && (broughtSome || this.#failed < 2))
  }

  /** At the end of the poll: counts and reports what did not come. */
  settle(tally: Tally): void {
    for (const [name, { fetch, reason }] of this.#missing) {
      const { from = null, subject = null } = this.#headings.get(name) ?? fetch.known ?? {}
      tally.keep(fetch, { kept: 'own', as: 'deferred', isDue: isDueMessage(fetch) })
      const again = fetch.known !== null && fetch.known.firstSeenMs < tally.startMs
      tally.problem({ uidl: fetch.uidl, from, subject, kind: 'deferred', reason, ...(again ? { again } : {}) })
    }
    this.#missing.clear()
  }
}

function nameOf({ uidl, copy }: EntryKey): string {
  return `${copy} ${uidl}`
}

/** Is it better fetched when the others are safe, their deletions committed? */
export function endedSession({ known }: Pick<Suspect, 'known'>): boolean {
  return known !== null && (known.harm?.command === 'RETR' || known.reason?.startsWith(ENDED) === true)
}

function harmTimes({ known }: Pick<Suspect, 'known'>): number {
  return known?.harm?.times ?? 0
}

export function wasShort({ known }: Suspect): boolean {
  return known?.reason?.startsWith(SHORT) === true
}

export function endReason(error: PopfetchError): string {
  return `${ENDED}${error.message}`
}

export function shortReason({ sizeBytes }: Suspect, receivedBytes: number): string {
  return `${SHORT}${receivedBytes} of ${sizeBytes} announced bytes came`
}
