// Keeps unused buffers from piling up (P5). Buffers lie outside V8's heap, and V8 lets 64 MB of them gather before it
// collects garbage. Too much for a process that is to stay small. So V8 is asked to collect when there is clearly more than
// messages under way account for. A collection of young objects takes a millisecond and is nearly always enough; a full one
// follows if it is not. Nothing but speed and memory depends on this. It sets flags of V8, which hold for the whole process. So it
// is done only in a process of our own, never in one that embeds us.
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isOurProcess } from './own-process.ts'

/** This many bytes come between two looks. */
const LOOK_BYTES = 1 << 20
/** More than a busy poll holds altogether. Measured: a lower limit costs time, 6 MB a tenth of it. */
const MANY_BYTES = 10 << 20
/** At this size old buffers must be among them. A full collection follows, which takes some 10 ms. It does not come again
 *  before this many bytes have come that it costs a hundredth of the time. */
const FAR_TOO_MANY_BYTES = 12 << 20
const MAJOR_EVERY_BYTES = 4 << 20

/** Two halves of 4 MB. Measured: half of that costs a tenth of the time; V8's own choice costs 40 MB. */
const MOST_YOUNG_BYTES = 8 << 20

/** V8 lets the heap grow to three or four times what was alive, before it collects all of it: 100 MB for ten thousand accounts of
 *  which somebody looks at the status. Measured: half as much again costs no time that can be seen, for what lives changes little. */
const GROWTH_PERCENT = 50
/** The space for young objects doubles within a few milliseconds while a large configuration is read. */
const LOOK_MS = 4

type Collect = (options: { readonly type: 'minor' | 'major' }) => void

let inUseBytes = 0
let cameBytes = 0
let sinceMajorBytes = 0
let lookedAtYoung = false
let collect: Collect | null = null
let youngMayGrow = true
let oldMayGrow = true

/** So many bytes outside V8's heap are in use from now on, and no garbage; negative: they were given back. For memory that many accounts
 *  have at the same time. It would be taken for garbage otherwise, and collections that find none would come in a row. */
export function useOutside(bytes: number): void {
  inUseBytes += bytes
}

/** Called when `bytes` came from a server. */
export function collectGarbageAfter(bytes: number): void {
  if (!isOurProcess()) return
  cameBytes += bytes
  if (cameBytes < LOOK_BYTES) return
  sinceMajorBytes += cameBytes
  cameBytes = 0
  boundYoung()
  const outsideBytes = getHeapStatistics().external_memory - inUseBytes
  // What a collection frees is counted only some time afterwards: the next look tells, not one right behind it.
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

/** V8 doubles the space for young objects again and again when many of them live for a while. Messages under way do, and so do
 *  loading modules. From here on the space keeps its size. Called before the first message is asked for as well: the space for
 *  an imap destination had grown to 32 MB by then. */
export function boundYoung(): void {
  if (!isOurProcess() || !youngMayGrow) return
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
  if (young === undefined || young.space_size < MOST_YOUNG_BYTES) return
  youngMayGrow = false
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** For a process that holds many accounts, from now on. */
export function boundOld(): void {
  if (!isOurProcess() || !oldMayGrow) return
  oldMayGrow = false
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
}

/** Does the same as boundYoung while work goes on that makes many objects and gives others their turns. */
export async function boundingYoung<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(boundYoung, LOOK_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

/** V8 gives `gc` only to contexts that are made after the flag was set. */
function collector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
