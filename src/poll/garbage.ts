// Keeps buffers that nobody holds any more from piling up (P5). They stand outside V8's heap, where it lets 64 MB gather
// before it looks which of them are garbage; a process that is to stay small cannot wait for that. So it is asked to look
// when there is clearly more than messages under way account for: at the young ones, which takes a millisecond and is
// nearly always enough, then at all.
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How much may come before it is looked at again. */
const LOOK_BYTES = 1 << 20
/** More than a busy poll holds on the whole: measured, 6 MB keep forwarding 5000 messages at 145 MB, 16 MB at 185. */
const MANY_BYTES = 6 << 20
/** Much more than messages under way may hold (window.ts): then the old ones are looked through too, some 30 ms. */
const FAR_TOO_MANY_BYTES = 48 << 20

type Collect = (options: { readonly type: 'minor' | 'major' }) => void

let cameBytes = 0
let collect: Collect | null = null

/** So many bytes came from a server. */
export function letGo(bytes: number): void {
  cameBytes += bytes
  if (cameBytes < LOOK_BYTES) return
  cameBytes = 0
  if (getHeapStatistics().external_memory < MANY_BYTES) return
  collect ??= collector()
  collect({ type: 'minor' })
  if (getHeapStatistics().external_memory >= FAR_TOO_MANY_BYTES) collect({ type: 'major' })
}

/** V8 gives the function to contexts that are made after the flag was set. */
function collector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
