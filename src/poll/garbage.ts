// Keeps buffers that nobody holds any more from piling up (P5). They stand outside V8's heap, where it lets 64 MB gather
// before it looks which of them are garbage; a process that is to stay small cannot wait for that. So it is asked to look
// when there is clearly more than messages under way account for: at the young ones, which takes a millisecond and is
// nearly always enough, then at all.
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How much may come before it is looked at again. */
const LOOK_BYTES = 4 << 20
/** More than the messages under way of a busy poll hold. */
const MOST_BYTES = 16 << 20

type Collect = (options: { readonly type: 'minor' | 'major' }) => void

let cameBytes = 0
let collect: Collect | null = null

/** So many bytes came from a server. */
export function letGo(bytes: number): void {
  cameBytes += bytes
  if (cameBytes < LOOK_BYTES) return
  cameBytes = 0
  if (getHeapStatistics().external_memory < MOST_BYTES) return
  collect ??= collector()
  collect({ type: 'minor' })
  if (getHeapStatistics().external_memory >= 2 * MOST_BYTES) collect({ type: 'major' })
}

/** V8 gives the function to contexts that are made after the flag was set. */
function collector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
