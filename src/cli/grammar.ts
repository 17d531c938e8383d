// The commands and options there are, in words. Only tables: yargs reads them for the command line and its help, completion for
// the shells. The options of `state` are in state-options.ts, those of `migrate`, `import` and
// `init` likewise.
import { SHELLS, type Command } from './command-names.ts'
import { IMPORT_OPTIONS } from './import-options.ts'
import { INIT_OPTIONS } from './init-options.ts'
import { MIGRATE_OPTIONS } from './migrate-options.ts'
import { OPERATIONS, STATE_OPTIONS } from './state-options.ts'

const text = (describe: string) => ({ type: 'string', nargs: 1, requiresArg: true, describe }) as const
const flag = (describe: string) => ({ type: 'boolean', describe }) as const

export const COMMON = {
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

export const POLL = {
  'dry-run': flag('Print what would be done; fetch and delete nothing'),
  limit: text('Fetch at most this many messages per account'),
  all: flag('Deliver again what was delivered'),
  'accept-new-ids': flag('Go on although the server gave all messages new IDs'),
  yes: flag('Go on although very many messages would be fetched or deleted'),
} as const

export const DAEMON = {
  daemon: flag('Keep polling in the background, each account at its own interval'),
  foreground: flag('With --daemon: stay attached, for systemd, containers and people'),
} as const

export const ALL = {
  ...COMMON,
  ...POLL,
  ...DAEMON,
  ...MIGRATE_OPTIONS,
  ...STATE_OPTIONS,
  ...IMPORT_OPTIONS,
  ...INIT_OPTIONS,
} as const

/** But for polling, which is no word. */
export const COMMANDS: readonly {
  readonly name: Exclude<Command, 'poll'>
  readonly usage: string
  readonly describe: string
}[] = [
  { name: 'check', usage: 'check [account...]', describe: 'Sign in and say what is waiting; changes nothing' },
  {
    name: 'migrate',
    usage: 'migrate [from] [to]',
    describe: 'Move a whole mailbox once, with progress and a final verdict',
  },
  {
    name: 'import',
    usage: 'import [tool] [file...]',
    describe: 'Take over the configuration and record of fetchmail, getmail or mpop',
  },
  { name: 'init', usage: 'init', describe: 'Set up the first account by question and answer' },
  {
    name: 'status',
    usage: 'status [account...]',
    describe: 'Per account: how it went, what waits, what is kept back',
  },
  {
    name: 'state',
    usage: 'state [operation] [argument...]',
    describe: `Look into and mend the ledger: ${OPERATIONS.join(', ')}`,
  },
  { name: 'stop', usage: 'stop', describe: 'End the background process' },
  { name: 'reload', usage: 'reload', describe: 'Let the background process read its configuration again' },
  { name: 'wake', usage: 'wake [account...]', describe: 'Let the background process poll now' },
  {
    name: 'config',
    usage: 'config [action]',
    describe: 'check: validate the configuration; show: print what is in force; schema: print its JSON Schema',
  },
  {
    name: 'completion',
    usage: 'completion [shell]',
    describe: `Print what makes a shell complete commands and accounts: ${SHELLS.join(', ')}`,
  },
]
