// Who else may read a configuration in which a secret is written (N017, permissions). Whose file it is, and who may change it,
// is judged by own-file.ts, where it is opened.
import type { Stats } from 'node:fs'
import { display } from '../display.ts'
import { octal } from '../own-file.ts'

/** What may be wrong with a file's permissions: `found X, expected Y`. */
export interface Exposure {
  readonly found: string
  readonly expected: string
}

const OTHERS_READ = 0o004
const GROUP_READ = 0o040

/** Whether somebody else could read a secret written in the file. A group may when root gave it the file to read. `uid`: null
 *  where modes are not judged. */
export function readableByOthers(file: string, stats: Stats, uid: number | null): Exposure | null {
  const { mode, uid: owner } = stats
  const forbidden = owner === 0 ? OTHERS_READ : OTHERS_READ | GROUP_READ
  if (uid === null || (mode & forbidden) === 0) return null
  const who = (mode & OTHERS_READ) === 0 ? 'its group' : 'anybody'
  const wanted = owner === 0 ? 'chmod o-r' : 'chmod 600'
  return {
    found: `a secret in a file that ${who} can read (mode ${octal(stats)})`,
    expected: `${wanted} ${display(file, 4096)}, or the secret elsewhere: { file: PATH }, { command: COMMAND }`,
  }
}
