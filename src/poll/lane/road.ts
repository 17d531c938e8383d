// Which messages take the lane, and which the usual road (transfer/): decided here, from the plan. Two others may still refuse: take.ts
// where memory is short, and the session where no burst is possible; then all take the usual road. The lane is for what is plain:
// new, small, announced with a size, for one Maildir of this machine or one recipient at a mail server, in a session that pipelines. Both
// roads keep the same promises; the lane is only faster. So in doubt a message takes the usual road.
import type { Configuration } from '../../config/schema.ts'
import type { Volleys } from '../../deliver/destination.ts'
import { expectHands } from '../../deliver/disk/hands.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import { closedAt } from '../route/closed.ts'
import type { Jobs } from '../route/due.ts'
import type { Target } from '../run/destinations.ts'
import { isOurProcess } from '../run/own-process.ts'
import type { Visit } from '../visit.ts'
import { MOST_PLAIN_BYTES } from './batch.ts'

/** For tests: `lane` or `usual` forces one of them, `apart` the lane with another thread for the files of a Maildir. */
const VARIABLE = 'POPFETCH_ROAD'

/** The fewest messages that the lane is used for. */
const LEAST = 32
/** The fewest new messages that a thread is made for: it takes some 30 ms and 12 MB. */
const LEAST_APART = 2000
/** A longer listing takes memory that the thread would take as well (P5). */
const MOST_LISTED_APART = 40_000

/** Where the lane leads. */
export interface LanePlace {
  readonly target: Target
  readonly recipient: string
  /** Null: they go one by one (relay.ts). */
  readonly volleys: Volleys | null
}

/** Messages that take the same road, in their order. */
export interface Stretch {
  readonly fetches: readonly PlannedFetch[]
  /** Null: the usual road. */
  readonly lane: LanePlace | null
}

/** Called once the listing is counted: `listed` messages, of which at most `new` are new. A thread that works on their files is to be
 *  there when the first of them come. Only in a process of our own: others may not want one. */
export async function foresee(
  { listed, new: mostNew }: { readonly listed: number; readonly new: number },
  configuration: Pick<Configuration, 'destinations'>,
): Promise<void> {
  const road = process.env[VARIABLE]
  if (road === 'apart') return await expectHands()
  if (road !== undefined || mostNew < LEAST_APART || listed > MOST_LISTED_APART || !isOurProcess()) return
  if ([...configuration.destinations.values()].some(({ type }) => type === 'maildir')) void expectHands()
}

/** All of `jobs`. What the lane takes comes first: between two stretches the line falls silent, so large messages among small ones would
 *  cost more than they are worth. `mayBeKnown`: each is to be compared with messages that were deleted (P134). */
export function stretchesOf(jobs: Jobs, mayBeKnown: boolean, visit: Visit): readonly Stretch[] {
  const { fetches } = jobs
  const usual = [{ fetches, lane: null }]
  if (mayBeKnown || !isPlainSession(visit)) return usual
  const plain: PlannedFetch[] = []
  const others: PlannedFetch[] = []
  const mostBytes = Math.min(MOST_PLAIN_BYTES, visit.account.maxSizeBytes ?? Infinity)
  for (const fetch of fetches) (isPlain(fetch, mostBytes) ? plain : others).push(fetch)
  const [first] = plain
  if (first === undefined || plain.length < leastOf(process.env[VARIABLE])) return usual
  const lane = placeOf(jobs, first)
  if (lane === null) return usual
  const stretch = { fetches: plain, lane }
  return others.length === 0 ? [stretch] : [stretch, { fetches: others, lane: null }]
}

/** The fewest messages that the lane is used for on this road. */
function leastOf(road: string | undefined): number {
  if (road === 'lane' || road === 'apart') return 1
  return road === 'usual' ? Infinity : LEAST
}

function isPlain({ known, sizeBytes }: PlannedFetch, mostBytes: number): boolean {
  return known === null && sizeBytes !== null && sizeBytes > 0 && sizeBytes <= mostBytes
}

/** Conditions of the session. Exact sizes prove that two answers are not mixed (P164). An observer of each message needs the usual
 *  road. */
function isPlainSession({ session, history, run, destinations }: Visit): boolean {
  if (!session.pipelining || !history.sizes.exact) return false
  if (run.observer.settled !== undefined) return false
  return destinations.probing.length === 0 && destinations.probingNext.length === 0
}

/** The one place of all plain messages; null: they have none, or several. The first one answers for all: nothing is known of any of
 *  them, so `job` gives each the same destinations. */
function placeOf({ job }: Jobs, fetch: PlannedFetch): LanePlace | null {
  const { due, choice, copies, later } = job(fetch)
  const [only] = due
  if (choice !== null || copies.length > 0 || later !== null || due.length !== 1 || only === undefined) return null
  const { target, recipient } = only
  if (target.members.length > 0 || target.pace !== null || target.fullFromBytes !== Infinity) return null
  if (closedAt(target, recipient) !== null) return null
  if (target.destination.relays === true) return { target, recipient, volleys: null }
  const volleys = recipient === '' ? (target.destination.volleys?.() ?? null) : null
  return volleys === null ? null : { target, recipient, volleys }
}
