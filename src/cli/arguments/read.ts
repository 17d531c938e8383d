// argv → words, or a usage error; nothing runs here. yargs' only door.
// What the words may say is decided in checked.ts: yargs by itself turns `--dry-run=maybe` into false and a repeated
// option into a list, and goes on after a `fail` that does not throw.
import type { Argv } from 'yargs'
import { nearest } from '../../config/values/nearest.ts'
import type { Command, Words } from '../commands/names.ts'
import { ALL, COMMANDS } from '../commands/commands.ts'
import { EPILOGUE, EXAMPLES, PROLOGUE, STATE } from './help.ts'
import { IMPORT, IMPORT_OPTIONS } from '../commands/import/options.ts'
import { INIT, INIT_OPTIONS, INIT_YES } from '../commands/init/options.ts'
import type { Invocation } from '../command.ts'
import { MIGRATE, MIGRATE_OPTIONS, PASSWORD_OPTIONS } from '../commands/migrate/options.ts'
import { COMMON, DAEMON, POLL } from '../poll-options.ts'
import { STATE_OPTIONS } from '../commands/state/options.ts'
import { usageError } from '../usage.ts'

export type * from '../command.ts'

// Exists since yargs 17.7; its types lack it.
declare module 'yargs' {
  interface Argv<T> {
    usageConfiguration(configuration: { readonly 'hide-types': boolean }): this
  }
}

const OPTIONS: readonly string[] = Object.keys(ALL)

const FLAGS: ReadonlySet<string> = new Set(
  Object.entries(ALL).flatMap(([name, option]) => (option.type === 'boolean' ? [name] : [])),
)

/** Rejects with ERR_USAGE (exit 64), one line. `columns`: how wide help may be. */
export async function parseArguments(argv: readonly string[], columns: number): Promise<Invocation> {
  refuseValuesOfFlags(argv)
  const { default: yargs } = await import('yargs')
  let command: Command = 'poll'
  let words: Words = {}
  const take = (name: Command) => (given: Words) => {
    command = name
    words = given
  }
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
      throw usageError(inOurWords(message ?? error?.message ?? 'wrong usage'))
    })
    .usageConfiguration({ 'hide-types': true })
    .wrap(Math.max(60, Math.min(columns, 100)))
    .usage(PROLOGUE)
    .options(COMMON)
    .group(Object.keys(COMMON), 'Options:')
    .command(
      '$0 [account...]',
      'Poll all accounts (or those named) once',
      (y) =>
        y
          .options(POLL)
          .group(Object.keys(POLL), 'Polling:')
          .options(DAEMON)
          .group(Object.keys(DAEMON), 'In the background:')
          .example(EXAMPLES.map(([line, what]) => [line, what]))
          .epilogue(EPILOGUE),
      take('poll'),
    )
  for (const { name, usage, describe } of COMMANDS) {
    grammar.command(usage, describe, (y) => withOptions(name, y), take(name))
  }
  await grammar.parseAsync([...argv])

  if (words['help'] === true) return { command: 'help', text: await grammar.getHelp() }
  if (words['version'] === true) return { command: 'version' }
  // Loaded here: help needs no zod.
  const { checked } = await import('../checked.ts')
  return checked(command, words)
}

function withOptions(command: Command, y: Argv): Argv {
  if (command === 'state') {
    return y.options(STATE_OPTIONS).group(Object.keys(STATE_OPTIONS), 'Of state:').epilogue(STATE)
  }
  if (command === 'import') {
    return y.options(IMPORT_OPTIONS).group(Object.keys(IMPORT_OPTIONS), 'Importing:').epilogue(IMPORT)
  }
  if (command === 'init') {
    const options = { ...INIT_OPTIONS, ...PASSWORD_OPTIONS, output: IMPORT_OPTIONS.output, yes: INIT_YES }
    return y.options(options).group(Object.keys(options), 'Answers:').epilogue(INIT)
  }
  if (command !== 'migrate') return y
  const options = { ...MIGRATE_OPTIONS, limit: POLL.limit, 'dry-run': POLL['dry-run'] }
  return y.options(options).group(Object.keys(options), 'Migrating:').epilogue(MIGRATE)
}

/** yargs speaks of arguments by their bare names. */
function inOurWords(message: string): string {
  const missing = /^Not enough arguments following: (.+)$/.exec(message)?.[1]
  if (missing !== undefined) return `--${missing} needs a value`
  const unknown = /^Unknown arguments?: ([^,]+)/.exec(message)?.[1]
  if (unknown === undefined) return message
  if (OPTIONS.includes(unknown)) return `--${unknown} does not belong to this command`
  const hint = nearest(unknown, OPTIONS)
  return hint === null ? message : `${message} (did you mean --${hint}?)`
}

/** A flag is there or not. `--dry-run=yes`, or worse `--dry-run=ture`, must not be guessed at. */
function refuseValuesOfFlags(argv: readonly string[]): void {
  for (const word of argv) {
    if (word === '--') return
    const name = /^--([^=]+)=/.exec(word)?.[1]
    if (name !== undefined && FLAGS.has(name)) throw usageError(`--${name} takes no value`)
  }
}
