// A disk that is ready to be measured. ext4 keeps freed inodes for a while and steps over them one by one: where five
// thousand files were removed, making a new one takes 0.2 to 2 ms for the next minutes instead of 0.02 (seen with Linux 6.18),
// and every contender is measured at that. So nothing is removed before the case is over, and what others removed is waited for.
import { closeSync, openSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { runProgram } from '../servers/program.ts'

const PROBES = 500
/** Between the two figures above. */
const QUICK_MS = 0.1
const LIMIT_MS = 180_000

let hasWaitedInVain = false

/** What earlier runs wrote is on disk, and files can be made there without delay. Says so when that is not to be had, and then
 *  does not wait again. */
export async function untilCreationIsQuick(directory: string): Promise<void> {
  await runProgram('sync', [], directory)
  const deadline = performance.now() + LIMIT_MS
  while (!hasWaitedInVain) {
    const eachMs = await creationMs(directory)
    if (eachMs < QUICK_MS) return
    if (performance.now() > deadline) {
      hasWaitedInVain = true
      console.log(
        `  making a file takes ${eachMs.toFixed(2)} ms here, a hundred times the usual: figures on disk mean little`,
      )
    }
    await wait(2_000)
  }
}

/** The probes stay: removed, they would be what the next ones step over. */
async function creationMs(directory: string): Promise<number> {
  const own = await mkdtemp(join(directory, 'probe-'))
  const begun = performance.now()
  for (let probe = 0; probe < PROBES; probe++) closeSync(openSync(join(own, String(probe)), 'wx'))
  return (performance.now() - begun) / PROBES
}
