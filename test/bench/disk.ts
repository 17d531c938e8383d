// Places on disk where every run finds the same. ext4 keeps freed inodes for a minute or more and steps over them one by one.
// Where five thousand files were removed, no matter by whom, making a new one takes 0.2 to 2 ms instead of 0.02 (seen with
// Linux 6.18). So each run is put where nobody was: on the machine's own disk nothing is removed before the case is over, and a
// file system in a file is made anew for each run.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { installed, isRoot, runProgram } from '../servers/program.ts'

export interface Disk extends AsyncDisposable {
  /** Directories made here are spread over the disk. */
  readonly directory: string
  /** Before a run: it is as if nobody had been there. */
  renew(): Promise<void>
  /** What was written so far is on disk, and does not get there at the expense of the next run. */
  settled(): Promise<void>
}

/** A new directory in `parent`. */
export async function onDisk(parent: string): Promise<Disk> {
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'run-'))
  // +T: what ext4 does for the directories of the top level and /home. Other file systems do not know it, nor the trouble.
  const chattr = await installed('chattr')
  if (chattr !== null) await runProgram(chattr, ['+T', directory], directory).catch(() => {})
  return {
    directory,
    renew: () => Promise.resolve(),
    settled: () => settled(directory),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

const IMAGE_BYTES = 1 << 30

/** An ext4 of its own, in a file in `parent`: in memory, so that only what a journal costs is seen, and no other's writing. Null: only root can mount one, or this machine has no loop devices. */
export async function onExt4(parent: string): Promise<Disk | null> {
  const mkfs = await installed('mkfs.ext4')
  if (mkfs === null || !isRoot) return null
  await mkdir(parent, { recursive: true })
  const outer = await mkdtemp(join(parent, 'ext4-'))
  const image = join(outer, 'image')
  const directory = join(outer, 'mounted')
  await mkdir(directory)
  const run = (program: string, ...args: string[]): Promise<string> => runProgram(program, args, outer)
  const unmount = (): Promise<unknown> => run('umount', directory).catch(() => {})
  const renew = async (): Promise<void> => {
    await unmount()
    await rm(image, { force: true })
    await run('truncate', '-s', String(IMAGE_BYTES), image)
    // Or the kernel would write its tables during the run.
    await run(mkfs, '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image)
    await run('mount', '-o', 'loop', image, directory)
  }
  const end = async (): Promise<void> => {
    await unmount()
    await rm(outer, { recursive: true, force: true })
  }
  try {
    await renew()
  } catch {
    await end()
    return null
  }
  return { directory, renew, settled: () => settled(outer), [Symbol.asyncDispose]: end }
}

async function settled(directory: string): Promise<void> {
  await runProgram('sync', [], directory)
}
