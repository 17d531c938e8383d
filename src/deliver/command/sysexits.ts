// What the exit of a delivery program means for the message (D090, sysexits.h). Pure. One rule: only 0 is a delivery; after
// everything else the mail stays on the server.
import { display } from '../../display.ts'
import { DeliveryError, type Retry, type Verdict } from '../../errors.ts'
import type { Ending } from '../../program.ts'

interface Meaning {
  readonly says: string
  readonly verdict: Verdict
  readonly scope: 'message' | 'destination'
  readonly retry: Retry
  readonly advice: string
}

/** The program will never take this message: it is kept on the server, and tried again less and less often. */
function refusal(says: string): Meaning {
  return { says, verdict: 'refused', scope: 'message', retry: 'later', advice: 'it stays on the server' }
}

/** Every other message would fail in the same way. */
function broken(says: string, advice: string, retry: Retry = 'later'): Meaning {
  return { says, verdict: 'temporary', scope: 'destination', retry, advice }
}

const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [64, broken('wrong usage', 'check the arguments in run', 'never')],
  [65, refusal('the message is wrong')],
  [66, broken('it could not read its input', 'run it by hand')],
  [67, refusal('no such user')],
  [68, refusal('no such host')],
  [69, refusal('not available')],
  [71, broken('a system error', 'see its log')],
  [72, broken('a system file is missing', 'see its log')],
  [73, broken('it cannot create its output', 'check where it writes to')],
  [74, broken('an input/output error', 'check the disk')],
  [75, { ...broken('temporary failure', 'tried again at the next poll', 'soon'), scope: 'message' }],
  [77, refusal('permission denied')],
  [78, broken('its configuration is wrong', 'mend it', 'never')],
  // The exit codes of a shell that cannot run a program.
  [126, broken('it cannot be executed', 'check its permissions', 'never')],
  [127, broken('a program was not found', 'check PATH and what it calls', 'never')],
])

/** A program that was ended, by us or by somebody else, may have delivered the message (P2): nobody knows. */
function meaningOf({ code, signal, ended }: Ending): Meaning {
  const lost = { verdict: 'unknown', scope: 'message', retry: 'soon' } as const
  if (ended === 'time limit') {
    return { ...lost, says: 'did not end within its time limit and was ended', advice: 'raise timeout, or see why' }
  }
  if (ended === 'abort') return { ...lost, says: 'was ended, because popfetch was', advice: 'tried again' }
  // A shell exits with 128 + n when signal n ended the program it ran.
  const by = signal ?? (code !== null && code > 128 && code <= 192 ? `signal ${code - 128}` : null)
  if (by !== null) return { ...lost, says: `was ended by ${by}`, advice: 'see its log' }
  const known = code === null ? undefined : MEANINGS.get(code)
  const temporary = { verdict: 'temporary', scope: 'message', retry: 'soon' } as const
  if (known === undefined) return { ...temporary, says: `exited with ${code}`, advice: 'run it by hand' }
  return { ...known, says: `exited with ${code} (${known.says})` }
}

/** null: delivered. `tried` reads like "command maildrop". */
export function failureOf(tried: string, ending: Ending): DeliveryError | null {
  if (ending.code === 0 && ending.ended === null) return null
  const { says, advice, verdict, scope, retry } = meaningOf(ending)
  const said = lastLine(ending.stderr.length > 0 ? ending.stderr : ending.stdout)
  const quoted = said === '' ? '' : ` and said "${said}"`
  return new DeliveryError(`${tried}: it ${says}${quoted}: ${advice}`, { verdict, scope, retry })
}

/** The last line says most; the lines before it only lead up to it. */
function lastLine(words: Buffer): string {
  const text = words.toString('utf8').trim()
  return display(text.slice(text.lastIndexOf('\n') + 1))
}
