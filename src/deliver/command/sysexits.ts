// What the exit of a delivery program means for the message (D090), by the table answers/command.ts, and the words for it.
// Pure. One rule: only 0 is a delivery; after everything else the mail stays on the server.
import { displayLastLine } from '../../display.ts'
import { DeliveryError } from '../../errors.ts'
import type { Ending } from '../../program.ts'
import { concludeProgram } from '../answers/command.ts'

interface Words {
  readonly says: string
  readonly advice: string
}

const STAYS = 'it stays on the server'

const WORDS: ReadonlyMap<number, Words> = new Map([
  [64, { says: 'wrong usage', advice: 'check the arguments in run' }],
  [65, { says: 'the message is wrong', advice: STAYS }],
  [66, { says: 'it could not read its input', advice: 'run it by hand' }],
  [67, { says: 'no such user', advice: STAYS }],
  [68, { says: 'no such host', advice: STAYS }],
  [69, { says: 'not available', advice: STAYS }],
  [71, { says: 'a system error', advice: 'see its log' }],
  [72, { says: 'a system file is missing', advice: 'see its log' }],
  [73, { says: 'it cannot create its output', advice: 'check where it writes to' }],
  [74, { says: 'an input/output error', advice: 'check the disk' }],
  [75, { says: 'temporary failure', advice: 'it will be tried again' }],
  [76, { says: 'a protocol error', advice: STAYS }],
  [77, { says: 'permission denied', advice: STAYS }],
  [78, { says: 'its configuration is wrong', advice: 'correct it' }],
  // The exit codes of a shell that cannot run a program.
  [126, { says: 'it cannot be executed', advice: 'check its permissions' }],
  [127, { says: 'a program was not found', advice: 'check PATH and what it calls' }],
])

/** A program that was ended, by us or by somebody else, may have delivered the message (P2): nobody knows. */
function wordsOf({ code, signal, ended }: Ending): Words {
  if (ended === 'time limit') {
    return { says: 'exceeded its time limit and was killed', advice: 'raise timeout, or find out why' }
  }
  if (ended === 'output limit') return { says: 'wrote too much and was killed', advice: 'see its log' }
  if (ended === 'abort') return { says: 'was killed, because popfetch was', advice: 'tried again' }
  // A shell exits with 128 + n when signal n ended the program it ran.
  const by = signal ?? (code !== null && code > 128 && code <= 192 ? `signal ${code - 128}` : null)
  if (by !== null) return { says: `was ended by ${by}`, advice: 'see its log' }
  const known = code === null ? undefined : WORDS.get(code)
  if (known === undefined)
    return { says: code === null ? 'did not end' : `exited with ${code}`, advice: 'run it by hand' }
  return { says: `exited with ${code} (${known.says})`, advice: known.advice }
}

/** null: delivered. `tried` reads like "command maildrop". */
export function failureOf(tried: string, ending: Ending): DeliveryError | null {
  const { code, signal, ended } = ending
  const answer = concludeProgram({ code, signal, ended: ended !== null, missing: false })
  if (answer === null) return null
  const { says, advice } = wordsOf(ending)
  const said = displayLastLine(ending.stderr.length > 0 ? ending.stderr : ending.stdout)
  const quoted = said === '' ? '' : ` and said "${said}"`
  return new DeliveryError(`${tried}: it ${says}${quoted}: ${advice}`, { ...answer, step: 'run' })
}
