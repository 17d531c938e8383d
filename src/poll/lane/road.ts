// Which messages take the lane, and which the usual road (transfer/): decided here, from the plan. Two others may still refuse: take.ts
// where memory or open files are short, and the session where no burst is possible; then all take the usual road. The lane is for what is
// plain: new, small, announced with a size, for one Maildir of this machine or one recipient at a mail server, in a session that pipelines.
// Both roads keep the same promises; the lane is only faster. So in doubt a message takes the usual road.
import type { Volleys } from '../../deliver/destination.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import { closedAt } from '../route/closed.ts'
import type { Jobs } from '../route/due.ts'
import type { Target } from '../run/destinations.ts'
import type { Visit } from '../visit.ts'
import { MOST_PLAIN_BYTES } from './batch.ts'

/** The fewest messages that the lane is used for. */
const LEAST = 32

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

/** For tests: `lane` or `usual` forces one of them, `apart` the lane with another thread for the files of a Maildir. */
export function forcedRoad(): string | undefined {
  return process.env['POPFETCH_ROAD']
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
  if (first === undefined || plain.length < leastOf(forcedRoad())) return usual
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
