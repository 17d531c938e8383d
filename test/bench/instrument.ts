// What measures the program from inside it. It is loaded before the program, as JavaScript: what Node needs to understand TypeScript would
// be a tenth of the memory that is measured.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

/** Options of Node, before those of the program. `LOOP_DELAY_FILE` in its environment names the file for what was measured. */
export function loopDelay(): readonly string[] {
  const code = stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'loop-delay.ts'), 'utf8'))
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`]
}

export interface LoopDelay {
  /** The longest pause of the event loop. */
  readonly longestMs: number
  /** The most in one pause that its thread was at work: other programs have no part in that. */
  readonly ownMs: number
}

export async function loopDelayIn(file: string): Promise<LoopDelay> {
  return JSON.parse(await readFile(file, 'utf8')) as LoopDelay
}
