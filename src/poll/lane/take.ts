// The way into the lane and out of it: its memory, the files that it may open, and what a bug of it means.
import { openFiles } from '../../deliver/disk/open-files.ts'
import { asPopfetchError } from '../../errors.ts'
import type { PlannedFetch } from '../plan/entry.ts'
import type { Visit } from '../visit.ts'
import { memoryFor, MOST_IN_BATCH } from './batch.ts'
import { Lane } from './lane.ts'
import { memoryBesides } from './relay.ts'
import type { LanePlace } from './road.ts'
import type { LaneEnd, UsualRoad } from './usual-road.ts'

/** Ends when all that it asked for is settled or given to `road`. Never rejects. */
export async function takeLane(
  fetches: readonly PlannedFetch[],
  place: LanePlace,
  visit: Visit,
  road: UsualRoad,
): Promise<LaneEnd> {
  const { budget } = visit.run
  const sizesBytes = fetches.map(({ sizeBytes }) => sizeBytes ?? 0)
  const memoryBytes = memoryFor(sizesBytes)
  const batches = place.volleys?.isApart === true ? 3 : 2
  const lentBytes = batches * memoryBytes + memoryBesides(place, sizesBytes)
  const files = place.volleys === null ? 0 : batches * Math.min(MOST_IN_BATCH, fetches.length)
  // Too little memory is free, or too few files may be open: all take the usual road.
  if (!openFiles.lend(files)) return { begun: [], rest: fetches }
  if (!budget.lend(lentBytes)) {
    openFiles.give(files)
    return { begun: [], rest: fetches }
  }
  const lane = new Lane(fetches, place, visit, road, { batches, memoryBytes })
  try {
    return await lane.run()
  } catch (error) {
    // A bug of the lane: what is recorded as begun stays so, and the next poll looks for it first (P2).
    road.attempts.fatal ??= asPopfetchError(error)
    visit.session.endBurst()
    return { begun: [], rest: [] }
  } finally {
    await lane.relayed()
    budget.give(lentBytes)
    openFiles.give(files)
  }
}
