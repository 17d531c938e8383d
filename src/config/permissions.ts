// Who else may read or write the configuration: it names commands, and may hold secrets (N017, permissions; N023, a
// stranger's configuration).
import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { display } from '../display.ts'

/** What may be wrong with a file's permissions: `found X, expected Y`. */
export interface Exposure {
  readonly found: string
  readonly expected: string
}

const OTHERS_WRITE = 0o002
const OTHERS_READ = 0o004
const GROUP_READ = 0o040
const STICKY = 0o1000

/** Whether somebody else could change what is in the file, or put another one in its place. */
export async function writableByOthers(file: string, uid: number): Promise<readonly Exposure[]> {
  const exposures: Exposure[] = []
  const { mode, uid: owner } = await stat(file)
  if ((mode & OTHERS_WRITE) !== 0) {
    exposures.push({
      found: `a file that anybody can write (mode ${octal(mode)})`,
      expected: `chmod o-w ${display(file)}`,
    })
  }
  // Root takes anybody's file, with a warning: in a container the file often belongs to a user outside.
  if (uid !== 0 && owner !== 0 && owner !== uid) {
    exposures.push({ found: `a file of the user ${owner}`, expected: `one that belongs to you (${uid}) or to root` })
  }
  for (const directory of directoriesAbove(file, await realpath(file))) {
    const above = await stat(directory)
    if ((above.mode & OTHERS_WRITE) !== 0 && (above.mode & STICKY) === 0) {
      const found = `the directory ${display(directory)} that anybody can write (mode ${octal(above.mode)})`
      exposures.push({ found, expected: `chmod o-w ${display(directory)}` })
    }
  }
  return exposures
}

/** Whether somebody else could read a secret written in the file. A group may when root gave it the file to read. */
export async function readableByOthers(file: string): Promise<Exposure | null> {
  const { mode, uid: owner } = await stat(file)
  const forbidden = owner === 0 ? OTHERS_READ : OTHERS_READ | GROUP_READ
  if ((mode & forbidden) === 0) return null
  const who = (mode & OTHERS_READ) === 0 ? 'its group' : 'anybody'
  const wanted = owner === 0 ? 'chmod o-r' : 'chmod 600'
  return {
    found: `a secret in a file that ${who} can read (mode ${octal(mode)})`,
    expected: `${wanted} ${display(file)}, or the secret elsewhere: { file: PATH }, { command: COMMAND }`,
  }
}

function directoriesAbove(...files: readonly string[]): ReadonlySet<string> {
  const directories = new Set<string>()
  for (const file of files) {
    let directory = path.dirname(file)
    while (!directories.has(directory)) {
      directories.add(directory)
      directory = path.dirname(directory)
    }
  }
  return directories
}

function octal(mode: number): string {
  return `0${(mode & 0o777).toString(8).padStart(3, '0')}`
}
