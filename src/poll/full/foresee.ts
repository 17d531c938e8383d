// A thread that works on the files of a Maildir (deliver/disk/hands.ts) is made before anybody needs it: it is to be there when the first
// of many new messages come, which take the lane.
import type { Configuration } from '../../config/schema.ts'
import { expectHands } from '../../deliver/disk/hands.ts'
import { forcedRoad } from '../lane/road.ts'
import { isOurProcess } from '../run/own-process.ts'

/** The fewest new messages that a thread is made for: it takes some 30 ms and 12 MB. */
const LEAST_NEW = 2000
/** A longer listing takes memory that the thread would take as well (P5). */
const MOST_LISTED = 40_000

/** Called once the listing is counted: `listed` messages, of which at most `new` are new. Only in a process of our own: others may not want
 *  a thread. */
export async function foresee(
  { listed, new: mostNew }: { readonly listed: number; readonly new: number },
  configuration: Pick<Configuration, 'destinations'>,
): Promise<void> {
  const road = forcedRoad()
  if (road === 'apart') return await expectHands()
  if (road !== undefined || mostNew < LEAST_NEW || listed > MOST_LISTED || !isOurProcess()) return
  if ([...configuration.destinations.values()].some(({ type }) => type === 'maildir')) void expectHands()
}
