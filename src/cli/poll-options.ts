// The options of every command and those of polling, in words. By themselves, because a poll from a crontab reads its
// command line with nothing else (poll-line.ts). All there are: grammar.ts.

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

/** `--log-level`, most first. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const

/** `--limit`. */
export const COUNT = /^[1-9]\d{0,8}$/
