// Options that several commands share: those of every command, and where a password is.
import type { LogLevel } from '../log.ts'
import { choice, file, flag, text, type Values } from './option.ts'
import { usageError } from './command-errors.ts'

/** Most first. */
export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const

/** As a file of `--log-file`: the log is printed there, whatever the configuration says. */
export const STANDARD_ERROR = '-'

export const COMMON = {
  config: { ...file('Use this configuration file'), short: 'c' },
  state: file('Use this ledger, which records what was delivered: a file, or postgres://…'),
  quiet: { ...flag('Print errors only'), short: 'q' },
  verbose: { ...flag('Print progress details'), short: 'v' },
  json: flag('Print one JSON object on standard output'),
  'log-file': file('Append a log of JSON lines to this file; - is standard error'),
  'log-level': choice(LEVELS, 'trace, debug, info, warn or error; on standard error unless there is a log'),
  help: { ...flag('Show help, also for a command'), short: 'h' },
  version: { ...flag('Show the version'), short: 'V' },
} as const

/** What every command was told. Paths are as they were typed. */
export interface CommonOptions {
  readonly config: string | null
  readonly state: string | null
  readonly quiet: boolean
  readonly verbose: boolean
  readonly json: boolean
  readonly logFile: string | null
  readonly logLevel: LogLevel | null
}

/** Throws ERR_USAGE. */
export function commonOptions(given: Values<typeof COMMON>): CommonOptions {
  const { config, state, quiet, verbose, json, 'log-file': logFile, 'log-level': logLevel } = given
  if (quiet && verbose) throw usageError('--quiet and --verbose cannot be combined')
  return { config, state, quiet, verbose, json, logFile, logLevel }
}

export const PASSWORD = {
  'password-env': text('Read the password from this environment variable', 'NAME'),
  'password-file': file('Read the password from this file'),
  'password-command': text('Read the password from the output of this command'),
} as const

/** Where a password is to be read. */
export type PasswordPlace = { readonly env: string } | { readonly file: string } | { readonly command: string }

/** Null: no option says where the password is. `before`: how the options begin that were given. Throws ERR_USAGE when two do. */
export function passwordPlace(given: Values<typeof PASSWORD>, before = ''): PasswordPlace | null {
  const { 'password-env': env, 'password-file': path, 'password-command': command } = given
  const places = [
    ...(env === null ? [] : [{ env }]),
    ...(path === null ? [] : [{ file: path }]),
    ...(command === null ? [] : [{ command }]),
  ]
  const names = Object.keys(PASSWORD).map((name) => `--${before}${name}`)
  if (places.length > 1) throw usageError(`one of ${names.slice(0, -1).join(', ')} and ${names.at(-1)} is enough`)
  return places[0] ?? null
}
