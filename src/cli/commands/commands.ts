// The commands and options there are, in words. Only tables: yargs reads them for the command line and its help, completion for
// the shells. The options of every command and of polling are in poll-options.ts, those of `state`,
// `migrate`, `import` and `init` likewise.
import { SHELLS, type COMMAND_WORDS } from './names.ts'
import { IMPORT_OPTIONS } from './import/options.ts'
import { INIT_OPTIONS } from './init/options.ts'
import { MIGRATE_OPTIONS } from './migrate/options.ts'
import { COMMON, DAEMON, POLL } from '../poll-options.ts'
import { OPERATIONS, STATE_OPTIONS } from './state/options.ts'

export const ALL = {
  ...COMMON,
  ...POLL,
  ...DAEMON,
  ...MIGRATE_OPTIONS,
  ...STATE_OPTIONS,
  ...IMPORT_OPTIONS,
  ...INIT_OPTIONS,
} as const

export const COMMANDS: readonly {
  readonly name: (typeof COMMAND_WORDS)[number]
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
