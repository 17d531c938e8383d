// How busy the machine is with other things: what no median of the bench's own runs can tell, because it slows all of them.
import { cpus } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'

const LOOK_MS = 500
/** Above that a run may share a processor with something else. */
const DISTURBING_SHARE = 0.1

/** The share of all processors in use, between 0 and 1, while the bench itself does nothing. */
export async function othersShare(): Promise<number> {
  const before = times()
  await wait(LOOK_MS)
  const after = times()
  return Number(((after.busy - before.busy) / (after.all - before.all)).toFixed(2))
}

export function warnOfOthers(share: number): void {
  if (share > DISTURBING_SHARE)
    console.log(
      `  others used ${Math.round(share * 100)} % of the processors: times mean little, CPU seconds and memory do`,
    )
}

function times(): { readonly busy: number; readonly all: number } {
  const sums = cpus().map(({ times }) => ({ idle: times.idle, all: Object.values(times).reduce((a, b) => a + b, 0) }))
  const all = sums.reduce((sum, processor) => sum + processor.all, 0)
  return { all, busy: all - sums.reduce((sum, { idle }) => sum + idle, 0) }
}
