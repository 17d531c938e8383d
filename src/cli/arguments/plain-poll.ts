// The quick reader: the command line of a plain poll, as crontabs have it, without yargs, which takes a tenth of an idle poll.
// It refuses nothing. What is not plainly right (another command, an unknown option, a doubtful value) is left to yargs, which
// explains it. The one rule: whatever is understood here, yargs understands alike.
import { parseArgs } from 'node:util'
import { PopfetchError } from '../../errors.ts'
import { DEFAULT_COMMAND, type Invocation } from '../command.ts'
import { COMMAND_WORDS, COMMANDS } from '../commands/commands.ts'
import { POLL } from '../commands/poll/options.ts'
import { COMMON } from '../common-options.ts'
import { givenOf } from './given.ts'

const { help: _help, version: _version, ...OTHERS } = COMMON

/** Those that a plain poll may have, as parseArgs wants them. */
const PLAIN = Object.fromEntries(
  Object.entries({ ...OTHERS, ...POLL }).map(([name, { kind }]) => [
    name,
    { type: kind === 'flag' ? ('boolean' as const) : ('string' as const) },
  ]),
)

/** Text that every reader of command lines takes as it is: no quotes, no hyphen in front, no number with a sign. */
const PLAIN_TEXT = /^[\w./~][\w./~@:+,-]*$/

const ACCOUNT = /^[\w.][\w.-]*$/

/** Null: not that simple. */
export async function plainPoll(argv: readonly string[]): Promise<Invocation | null> {
  const parsed = parsedSimply(argv)
  if (parsed === null) return null
  const { values, positionals, tokens } = parsed
  const options = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
  if (new Set(options).size !== options.length || tokens.some(({ kind }) => kind === 'option-terminator')) return null
  const texts = Object.values(values).filter((value) => typeof value === 'string')
  if (!texts.every((text) => PLAIN_TEXT.test(text)) || !positionals.every(isPlainAccount)) return null

  const poll = await COMMANDS[DEFAULT_COMMAND].load()
  try {
    return { command: DEFAULT_COMMAND, ...poll.understand(givenOf(positionals, values)) }
  } catch (error) {
    if (error instanceof PopfetchError) return null
    throw error
  }
}

/** Commands are left to yargs, and words that yargs takes for the value of a flag before them. */
const NO_ACCOUNT: ReadonlySet<string> = new Set([...COMMAND_WORDS, 'true', 'false'])

function isPlainAccount(name: string): boolean {
  return ACCOUNT.test(name) && !NO_ACCOUNT.has(name)
}

function parsedSimply(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: PLAIN, allowPositionals: true, tokens: true })
  } catch {
    return null
  }
}
