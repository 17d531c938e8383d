// The program of `accountsFrom`: it is run, and what it prints is taken apart. Whether that is believed is kept.ts.
// The one rule: what is cut, or is no mapping of accounts, is no answer at all.
import { displayLastLine, displayBytes } from '../../display.ts'
import { errnoOf, PopfetchError, type Retry } from '../../errors.ts'
import { atOnce } from '../turns.ts'
import { parsing } from '../document.ts'
import { inTurns } from '../turns.ts'
import { commandName } from '../values/secret.ts'
import { ASKED, isWritten, type Written } from '../values/written.ts'
import type { Environment } from '../paths.ts'
import { linesOf, type Source } from './source.ts'

/** A large table, and a database that is busy. */
const LIMIT_MS = 60_000
const LIMIT_BYTES = 16_777_216
const WORDS_BYTES = 4096

/** What was printed, and what it says. */
export interface Answer {
  readonly text: string
  readonly root: Written
  /** Of the accounts in it. */
  readonly names: readonly string[]
}

/** Rejects with ERR_ACCOUNTS: `never` when somebody has to change something, `soon` when the program failed; with ERR_ABORTED. */
export async function askForAccounts(
  command: readonly string[],
  { env, signal }: { readonly env: Environment; readonly signal: AbortSignal },
): Promise<Answer> {
  const program = commandName(command)
  const refused = (how: string, retry: Retry, cause?: unknown): PopfetchError =>
    accountsError(`asking ${program} for accounts (${ASKED}): ${how}`, retry, cause)
  const { NO_INPUT, runProgram } = await import('../../program.ts')
  const ending = await runProgram({
    command,
    env,
    cwd: null,
    stdin: NO_INPUT,
    stdout: { keep: 'all', limitBytes: LIMIT_BYTES },
    stderr: { keep: 'last', limitBytes: WORDS_BYTES },
    limitMs: LIMIT_MS,
    signal,
  }).catch((error: unknown) => {
    throw refused(`it cannot be started (${errnoOf(error) ?? String(error)}): correct the path`, 'never', error)
  })
  if (ending.ended === 'abort')
    throw new PopfetchError('ERR_ABORTED', 'interrupted', { scope: 'process', retry: 'soon' })
  if (ending.ended === 'time limit') throw refused(`no answer within ${LIMIT_MS / 1000} s`, 'soon')
  if (ending.ended === 'output limit') throw refused('it printed more than 16 MiB', 'never')
  if (ending.code !== 0) {
    const how = ending.signal === null ? `it ended with code ${ending.code}` : `${ending.signal} ended it`
    const words = displayLastLine(ending.stderr)
    throw refused(words === '' ? how : `${how}: ${words}`, 'soon')
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(ending.stdout)
  } catch (error) {
    throw refused(`it printed text that is not UTF-8: ${displayBytes(ending.stdout.subarray(0, 40))}`, 'never', error)
  }
  // A program that was cut off need not know: a whole line ends, and so does a whole object.
  if (text.trim() !== '' && !/[\n}]$/.test(text))
    throw refused('what it printed ends within a line, so it was cut off', 'soon')
  return await inTurns(readAnswer(text, (how) => refused(`it printed ${how}`, 'never')))
}

/** As Answer; null: it is none. */
export function parseAnswer(text: string): Answer | null {
  try {
    return atOnce(readAnswer(text, (how) => accountsError(how, 'never')))
  } catch {
    return null
  }
}

function* readAnswer(text: string, refused: (how: string) => PopfetchError): Generator<void, Answer> {
  const { root: found, readable, problems } = yield* parsing(text)
  if (!readable || problems.length > 0) {
    const [first] = problems
    throw refused(`no YAML and no JSON: line ${first?.line ?? 1}: found ${first?.found ?? 'something else'}`)
  }
  const root = found ?? {}
  if (!isWritten(root)) throw refused('no mapping with accounts')
  const strange = Object.keys(root).find((key) => key !== 'accounts' && key !== 'destinations' && !key.startsWith('x-'))
  if (strange !== undefined) throw refused('more than accounts and destinations at the top')
  const [accounts, destinations] = [root['accounts'] ?? {}, root['destinations'] ?? {}]
  if (!isWritten(accounts) || !isWritten(destinations))
    throw refused('accounts or destinations that are no mapping of names')
  return { text, root, names: Object.keys(accounts) }
}

/** As a source of the configuration: a row that is wrong stops only itself. `resolve`: as for the configuration, in which the program stands. */
export function answerSource({ root, text }: Answer, resolve: Source['resolve']): Source {
  return { name: ASKED, root, resolve, lineOf: linesOf(text), leavesOut: true }
}

export function accountsError(message: string, retry: Retry, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_ACCOUNTS', message, { scope: 'process', retry, cause })
}
