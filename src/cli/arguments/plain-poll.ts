// The quick reader: the command line of a plain poll, as crontabs have it, without yargs, which takes a tenth of an idle poll.
// It refuses nothing. What is not plainly right (another command, an unknown option, a doubtful value) is left to yargs, which
// explains it. The one rule: whatever is understood here, yargs understands alike.
import { PopfetchError } from '../../errors.ts'
import { DEFAULT_COMMAND, type Invocation } from '../command.ts'
import { COMMAND_WORDS, COMMANDS } from '../commands/commands.ts'
import { POLL } from '../commands/poll/options.ts'
import { COMMON } from '../common-options.ts'
import { givenOf } from './given.ts'

const { help: _help, version: _version, ...OTHERS } = COMMON

/** Those that a plain poll may have: is it a flag? */
const PLAIN: ReadonlyMap<string, boolean> = new Map(
  Object.entries({ ...OTHERS, ...POLL }).map(([name, { kind }]) => [name, kind === 'flag']),
)

/** Text that every reader of command lines takes as it is: no quotes, no hyphen in front, no number with a sign. */
const PLAIN_TEXT = /^[\w./~][\w./~@:+,-]*$/

const ACCOUNT = /^[\w.][\w.-]*$/

/** Null: not that simple. */
export async function plainPoll(argv: readonly string[]): Promise<Invocation | null> {
  const parsed = parsedSimply(argv)
  if (parsed === null) return null
  const { values, positionals } = parsed
  if (!positionals.every(isPlainAccount)) return null
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

interface Parsed {
  readonly values: Readonly<Record<string, string | boolean>>
  readonly positionals: readonly string[]
}

/** Long options, each once, and words that are none. Null: anything else. */
function parsedSimply(argv: readonly string[]): Parsed | null {
  const values: Record<string, string | boolean> = {}
  const positionals: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ''
    if (!word.startsWith('-')) {
      positionals.push(word)
      continue
    }
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals)
    const isFlag = PLAIN.get(name)
    if (!word.startsWith('--') || isFlag === undefined || Object.hasOwn(values, name)) return null
    if (isFlag) {
      if (equals >= 0) return null
      values[name] = true
      continue
    }
    const value = equals < 0 ? argv[++at] : word.slice(equals + 1)
    if (value === undefined || !PLAIN_TEXT.test(value)) return null
    values[name] = value
  }
  return { values, positionals }
}
