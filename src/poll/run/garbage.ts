// Keeps buffers that nobody holds any more from piling up (P5). They stand outside V8's heap, where it lets 64 MB gather
// before it looks which of them are garbage; a process that is to stay small cannot wait for that. So it is asked to look
// when there is clearly more than messages under way account for: at the young ones, which takes a millisecond and is
// nearly always enough, then at all. Nothing but speed and memory depends on any of this.
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How much may come before it is looked at again. */
const LOOK_BYTES = 1 << 20
/** More than a busy poll holds on the whole; measured: with less, time is lost, a tenth of it with 6 MB. */
const MANY_BYTES = 10 << 20
/** So many are left that old ones must be among them: then those are looked through too, some 10 ms, and not again before
 *  as much has come as makes that a hundredth of the time. */
const FAR_TOO_MANY_BYTES = 12 << 20
const MAJOR_EVERY_BYTES = 4 << 20

/** Two halves of 4 MB; measured: half of that costs a tenth of the time, what V8 would take 40 MB. */
const MOST_YOUNG_BYTES = 8 << 20

type Collect = (options: { readonly type: 'minor' | 'major' }) => void

let cameBytes = 0
let sinceMajorBytes = 0
let lookedAtYoung = false
let collect: Collect | null = null
let youngMayGrow = true

/** So many bytes came from a server. */
export function collectGarbageAfter(bytes: number): void {
  cameBytes += bytes
  if (cameBytes < LOOK_BYTES) return
  sinceMajorBytes += cameBytes
  cameBytes = 0
  if (youngMayGrow) boundYoung()
  const { external_memory: outsideBytes } = getHeapStatistics()
  // What a collection frees is counted only some time after it: told by the next look, not by one right behind it.
  const youngDidNotDo = lookedAtYoung && outsideBytes >= FAR_TOO_MANY_BYTES
  lookedAtYoung = outsideBytes >= MANY_BYTES
  if (!lookedAtYoung) return
  collect ??= collector()
  if (youngDidNotDo && sinceMajorBytes >= MAJOR_EVERY_BYTES) {
    sinceMajorBytes = 0
    collect({ type: 'major' })
  } else {
    collect({ type: 'minor' })
  }
}

/** V8 triples what it sets aside for young objects, up to 48 MB, when many of them live for a while, as messages under way
 *  do. From here on it stays as large as it is. */
function boundYoung(): void {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
  if (young === undefined || young.space_size < MOST_YOUNG_BYTES) return
  youngMayGrow = false
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** V8 gives the function to contexts that are made after the flag was set. */
function collector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
