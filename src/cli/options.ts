// argv → Invocation, or a usage error; nothing runs here. yargs' only door.
// yargs reads words, zod decides what they may say: yargs by itself turns `--dry-run=maybe` into false and a repeated
// option into a list, and goes on after a `fail` that does not throw.
import { nearest } from '../config/nearest.ts'
import { EPILOGUE, EXAMPLES, PROLOGUE, STATE } from './help.ts'
import type { CommonOptions, Invocation } from './invocation.ts'
import { OPERATIONS, STATE_OPTIONS, stateOperation } from './state-options.ts'
import { usageError } from './usage.ts'

export type * from './invocation.ts'

// Exists since yargs 17.7; its types lack it.
declare module 'yargs' {
  interface Argv<T> {
    usageConfiguration(configuration: { readonly 'hide-types': boolean }): this
  }
}

const text = (describe: string) => ({ type: 'string', nargs: 1, requiresArg: true, describe }) as const
const flag = (describe: string) => ({ type: 'boolean', describe }) as const

const COMMON = {
  config: text('Use this configuration file'),
  state: text('Use this ledger file (what was delivered is remembered there)'),
  quiet: flag('Say nothing but errors'),
  verbose: flag('Say what is being done'),
  json: flag('Print one JSON object on standard output'),
  'log-file': text('Append a log of JSON lines to this file'),
  'log-level': text('trace, debug, info, warn or error'),
  help: flag('Show this help, or that of a command'),
  version: flag('Show the version'),
} as const

const POLL = {
  'dry-run': flag('Print what would be done; fetch and delete nothing'),
  limit: text('Fetch at most this many messages per account'),
  all: flag('Deliver again what was delivered'),
  'accept-new-ids': flag('Go on although the server gave all messages new IDs'),
  yes: flag('Go on although very many messages would be fetched or deleted'),
} as const

const ALL = { ...COMMON, ...POLL, ...STATE_OPTIONS } as const

const OPTIONS: readonly string[] = Object.keys(ALL)

const FLAGS: ReadonlySet<string> = new Set(
  Object.entries(ALL).flatMap(([name, option]) => (option.type === 'boolean' ? [name] : [])),
)

type Words = Readonly<Record<string, unknown>>

type Command = 'poll' | 'check' | 'status' | 'state' | 'config'

/** Rejects with ERR_USAGE (exit 64), one line. `columns`: how wide help may be. */
export async function parseArguments(argv: readonly string[], columns: number): Promise<Invocation> {
  // The line of a crontab: with nothing to read, the reader (35 ms, a third of an idle poll) is not loaded.
  if (argv.length === 0) return await checked('poll', {})
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
          .example(EXAMPLES.map(([line, what]) => [line, what]))
          .epilogue(EPILOGUE),
      take('poll'),
    )
    .command('check [account...]', 'Sign in and say what is waiting; changes nothing', (y) => y, take('check'))
    .command('status [account...]', 'Per account: how it went, what waits, what is kept back', (y) => y, take('status'))
    .command(
      'state [operation] [argument...]',
      `Look into and mend the ledger: ${OPERATIONS.join(', ')}`,
      (y) => y.options(STATE_OPTIONS).group(Object.keys(STATE_OPTIONS), 'Of state:').epilogue(STATE),
      take('state'),
    )
    .command(
      'config [action]',
      'check: validate the configuration; show: print what is in force; schema: print its JSON Schema',
      (y) => y,
      take('config'),
    )
  await grammar.parseAsync([...argv])

  if (words['help'] === true) return { command: 'help', text: await grammar.getHelp() }
  if (words['version'] === true) return { command: 'version' }
  return checked(command, words)
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

const POSITIONS: Readonly<Record<string, string>> = { action: 'config ACTION', operation: 'state OPERATION' }

/** A flag is there or not. `--dry-run=yes`, or worse `--dry-run=ture`, must not be guessed at. */
function refuseValuesOfFlags(argv: readonly string[]): void {
  for (const word of argv) {
    if (word === '--') return
    const name = /^--([^=]+)=/.exec(word)?.[1]
    if (name !== undefined && FLAGS.has(name)) throw usageError(`--${name} takes no value`)
  }
}

async function checked(command: Command, words: Words): Promise<Invocation> {
  const { z } = await import('zod')
  const isSet = z
    .literal(true)
    .optional()
    .transform((value) => value === true)
  const word = z
    .string('is given twice')
    .min(1, 'needs a value')
    .optional()
    .transform((value) => value ?? null)
  const names = z.array(z.string()).default([])
  const level = z.enum(['trace', 'debug', 'info', 'warn', 'error'], 'must be one of trace, debug, info, warn, error')
  const count = z
    .string('is given twice')
    .regex(/^[1-9]\d{0,8}$/, 'must be a whole number from 1 to 999999999')
    .transform(Number)
  const copy = z
    .string('is given twice')
    .regex(/^\d{1,9}$/, 'must be a whole number from 0 to 999999999')
    .transform(Number)
  const schema = z.object({
    config: word,
    state: word,
    quiet: isSet,
    verbose: isSet,
    json: isSet,
    'log-file': word,
    'log-level': level.optional().transform((value) => value ?? null),
    account: names,
    '--': names,
    'dry-run': isSet,
    limit: count.optional().transform((value) => value ?? null),
    'accept-new-ids': isSet,
    yes: isSet,
    all: isSet,
    action: z.enum(['check', 'show', 'schema'], 'must be one of check, show, schema').optional(),
    operation: z.enum(OPERATIONS, `must be one of ${OPERATIONS.join(', ')}`).optional(),
    argument: names,
    copy: copy.optional().transform((value) => value ?? null),
    'all-messages': isSet,
    held: isSet,
    refused: isSet,
    open: isSet,
    delivered: isSet,
    seen: isSet,
  })
  const parsed = schema.safeParse(words)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const name = String(issue?.path[0] ?? '')
    throw usageError(`${POSITIONS[name] ?? `--${name}`} ${issue?.message ?? 'is wrong'}`)
  }
  const given = parsed.data
  if (given.quiet && given.verbose) throw usageError('--quiet and --verbose contradict each other')
  const common: CommonOptions = {
    config: given.config,
    state: given.state,
    quiet: given.quiet,
    verbose: given.verbose,
    json: given.json,
    logFile: given['log-file'],
    logLevel: given['log-level'],
  }
  const accounts = [...new Set([...given.account, ...given['--']])]
  if (command === 'check' || command === 'status') return { command, ...common, accounts }
  if (command === 'state') {
    return {
      command,
      ...common,
      ...stateOperation({ ...given, operation: given.operation, words: [...given.argument, ...given['--']] }),
    }
  }
  if (command === 'poll') {
    const { limit, yes, all } = given
    return {
      command,
      ...common,
      accounts,
      dryRun: given['dry-run'],
      limit,
      acceptNewIds: given['accept-new-ids'],
      yes,
      all,
    }
  }
  if (given['--'].length > 0) throw usageError(`unknown argument: ${given['--'].join(' ')}`)
  if (given.action === undefined) throw usageError('config needs one of check, show, schema')
  return { command, ...common, action: given.action }
}
