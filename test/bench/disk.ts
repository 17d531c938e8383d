// A place on disk where every run finds the same. ext4 keeps freed inodes for a minute or more and steps over them one by one.
// Where five thousand files were removed, no matter by whom, making a new one takes 0.2 to 2 ms instead of 0.02 (seen with
// Linux 6.18). So each run is put where nobody was, and nothing is removed before the case is over.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { installed, runProgram } from '../servers/program.ts'

export interface Disk extends AsyncDisposable {
  /** Directories made here are spread over the disk. */
  readonly directory: string
}

/** A new directory in `parent`. */
export async function onDisk(parent: string): Promise<Disk> {
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'run-'))
  // +T: what ext4 does for the directories of the top level and /home. Other file systems do not know it, nor the trouble.
  const chattr = await installed('chattr')
  if (chattr !== null) await runProgram(chattr, ['+T', directory], directory).catch(() => {})
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) }
}

/** What earlier runs wrote is on disk, and does not get there at the expense of the next. */
export async function settled(directory: string): Promise<void> {
  await runProgram('sync', [], directory)
}
