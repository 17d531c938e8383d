// The reader of every command line: yargs' only door. It knows the commands from their table and explains mistakes. help.ts has
// the help. yargs is trusted only with splitting. By itself it turns `--dry-run=maybe` into false and a repeated option into a
// list, and goes on after a `fail` that does not throw. What the words may say is decided by option.ts and commands.
import type { Argv, Options } from 'yargs'
import { nearest } from '../../config/values/nearest.ts'
import { DEFAULT_COMMAND, type Invocation, type LoadedCommand } from '../command.ts'
import { COMMANDS } from '../commands/commands.ts'
import { COMMON } from '../common-options.ts'
import { EXIT_OK } from '../../status/exit.ts'
import type { Option, OptionTable } from '../option.ts'
import { usageError } from '../command-errors.ts'
import { version } from '../version.ts'
import { loadVocabulary } from '../vocabulary.ts'
import { givenOf } from './given.ts'
import { helpOf } from './help.ts'

/** Rejects with ERR_USAGE (exit 64), one line. `columns`: how wide help may be. */
export async function readWithYargs(argv: readonly string[], columns: number): Promise<Invocation> {
  const { commands, options } = await loadVocabulary(COMMANDS)
  refuseValuesOfFlags(argv, options)
  const { default: yargs } = await import('yargs')
  let chosen: readonly [name: string, command: LoadedCommand] | null = null
  let found: Readonly<Record<string, unknown>> = {}
  const grammar = yargs()
    .scriptName('popfetch')
    .detectLocale(false)
    .exitProcess(false)
    .help(false)
    .version(false)
    .strict()
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'populate--': true,
    })
    .fail((message, error) => {
      throw usageError(inOurWords(message ?? error?.message ?? 'wrong usage', options))
    })
  addOptions(grammar, COMMON)
  for (const [name, command] of commands) {
    const line = `${name === DEFAULT_COMMAND ? '$0' : name} ${command.usage}`.trimEnd()
    grammar.command(
      line,
      command.describe,
      (y) => describe(y, command),
      (given) => {
        chosen = [name, command]
        found = given
      },
    )
  }
  await grammar.parseAsync([...argv])
  refuseOthers(argv, chosen, options)

  if (found['help'] === true) return printing('help', helpOf(nameOf(chosen), { commands, options }, columns))
  if (found['version'] === true) return printing('version', `popfetch ${version}`)
  return understood(chosen, found)
}

/** yargs takes `--account work` for the word that usage calls `[account...]`. */
function refuseOthers(
  argv: readonly string[],
  chosen: readonly [name: string, command: LoadedCommand] | null,
  all: OptionTable,
): void {
  const own = new Set([COMMON, ...(chosen?.[1].options ?? []).map(({ options }) => options)].flatMap(Object.keys))
  const end = argv.indexOf('--')
  for (const word of end === -1 ? argv : argv.slice(0, end)) {
    const name = /^--([^=]+)/.exec(word)?.[1]
    if (name !== undefined && !own.has(name)) throw usageError(inOurWords(`Unknown argument: ${name}`, all))
  }
}

function understood(
  chosen: readonly [name: string, command: LoadedCommand] | null,
  found: Readonly<Record<string, unknown>>,
): Invocation {
  if (chosen === null) throw new TypeError('yargs chose no command')
  const [name, command] = chosen
  return { command: name, ...command.understand(givenOf(wordsOf(command.usage, found), found)) }
}

/** yargs has the words of a command by their names in its usage, and those behind `--` by themselves. */
function wordsOf(usage: string, found: Readonly<Record<string, unknown>>): readonly string[] {
  const places = [...usage.matchAll(/\[(\w+)(\.\.)?/g)]
  const words = [...places.map(([, name = '']) => found[name]), found['--']].flat().filter(isText)
  const extra = places.some(([, , dots]) => dots !== undefined) ? [] : words.slice(places.length)
  if (extra.length > 0) throw usageError(`unknown argument: ${extra.join(' ')}`)
  return words
}

function isText(word: unknown): word is string {
  return typeof word === 'string'
}

/** An answer that no command is needed for. */
function printing(command: string, text: string): Invocation {
  return {
    command,
    given: { text },
    run: ({ output }) => {
      output.answer(text)
      return Promise.resolve(EXIT_OK)
    },
  }
}

function nameOf(chosen: readonly [name: string, command: LoadedCommand] | null): string {
  return chosen?.[0] ?? DEFAULT_COMMAND
}

function describe(y: Argv, { options }: LoadedCommand): Argv {
  for (const group of options) addOptions(y, group.options)
  return y
}

function addOptions(y: Argv, options: OptionTable): void {
  const described = Object.entries(options).map(([name, option]) => [name, inYargsWords(option)])
  y.options(Object.fromEntries(described) as Record<string, Options>)
}

function inYargsWords({ kind }: Option): Options {
  return kind === 'flag' ? { type: 'boolean' } : { type: 'string', nargs: 1, requiresArg: true }
}

/** yargs speaks of arguments by their bare names. */
function inOurWords(message: string, options: OptionTable): string {
  const missing = /^Not enough arguments following: (.+)$/.exec(message)?.[1]
  if (missing !== undefined) return `--${missing} needs a value`
  const unknown = /^Unknown arguments?: ([^,]+)/.exec(message)?.[1]
  if (unknown === undefined) return message
  if (Object.hasOwn(options, unknown)) return `--${unknown} is not an option of this command`
  const hint = nearest(unknown, Object.keys(options))
  return hint === null ? message : `${message} (did you mean --${hint}?)`
}

/** A flag is there or not. `--dry-run=yes`, or worse `--dry-run=ture`, must not be guessed at. */
function refuseValuesOfFlags(argv: readonly string[], options: OptionTable): void {
  for (const word of argv) {
    if (word === '--') return
    const name = /^--([^=]+)=/.exec(word)?.[1]
    if (name === undefined || !Object.hasOwn(options, name)) continue
    if (options[name]?.kind === 'flag') throw usageError(`--${name} takes no value`)
  }
}
