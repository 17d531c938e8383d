// Words of a command line → Invocation, or a usage error. zod decides what they may say; reading argv is options.ts.
import * as z from 'zod'
import { SHELLS, type Command, type Words } from './commands/names.ts'
import { importRequest, TOOLS } from './commands/import/options.ts'
import { initRequest } from './commands/init/options.ts'
import type { CommonOptions, Invocation } from './command.ts'
import { migrateRequest } from './commands/migrate/options.ts'
import { COUNT, LEVELS } from './poll-options.ts'
import { OPERATIONS, stateOperation } from './commands/state/options.ts'
import { usageError } from './usage.ts'

const POSITIONS: Readonly<Record<string, string>> = {
  action: 'config ACTION',
  operation: 'state OPERATION',
  from: 'migrate FROM',
  to: 'migrate TO',
  tool: 'import TOOL',
}

/** Rejects with ERR_USAGE. */
export function checked(command: Command, words: Words): Invocation {
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
  const level = z.enum(LEVELS, `must be one of ${LEVELS.join(', ')}`)
  const count = z.string('is given twice').regex(COUNT, 'must be a whole number from 1 to 999999999').transform(Number)
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
    daemon: isSet,
    foreground: isSet,
    from: word,
    to: word,
    every: isSet,
    delete: isSet,
    since: word,
    'max-rate': word,
    report: word,
    'password-env': word,
    'password-file': word,
    'password-command': word,
    tool: z.enum(TOOLS, `must be one of ${TOOLS.join(', ')}`).optional(),
    file: names,
    output: word,
    record: word,
    address: word,
    host: word,
    port: word,
    tls: word,
    user: word,
    deliver: word,
    'token-command': word,
    'delete-policy': word,
    first: word,
    name: word,
    untested: isSet,
    shell: z.enum([...SHELLS, 'accounts'], `must be one of ${SHELLS.join(', ')}`).optional(),
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
  if (command === 'check' || command === 'status' || command === 'wake') return { command, ...common, accounts }
  if (command === 'state') {
    return {
      command,
      ...common,
      ...stateOperation({ ...given, operation: given.operation, words: [...given.argument, ...given['--']] }),
    }
  }
  if (command === 'poll') {
    const { limit, yes, all, foreground } = given
    const polling = { dryRun: given['dry-run'], limit, acceptNewIds: given['accept-new-ids'], yes, all }
    if (!given.daemon && foreground) throw usageError('--foreground does not go without --daemon')
    if (!given.daemon) return { command, ...common, accounts, ...polling }
    const foreign = Object.values(polling).some((value) => value !== false && value !== null)
    if (foreign) throw usageError('--daemon polls as the configuration says: --dry-run and the like do not go with it')
    return { command: 'daemon', ...common, accounts, foreground }
  }
  if (command === 'migrate') {
    const [from = given.from, to = given.to, ...more] = [given.from, given.to, ...given['--']].filter(
      (one) => one !== null,
    )
    if (more.length > 0) throw usageError(`unknown argument: ${more.join(' ')}`)
    return { command, ...common, ...migrateRequest({ ...given, from, to }) }
  }
  if (command === 'import') {
    return {
      command,
      ...common,
      ...importRequest({ ...given, tool: given.tool, files: [...given.file, ...given['--']] }),
    }
  }
  if (given['--'].length > 0) throw usageError(`unknown argument: ${given['--'].join(' ')}`)
  if (command === 'init') return { command, ...common, ...initRequest(given) }
  if (command === 'stop' || command === 'reload') return { command, ...common }
  if (command === 'completion') return { command, ...common, shell: given.shell ?? null }
  if (given.action === undefined) throw usageError('config needs one of check, show, schema')
  return { command, ...common, action: given.action }
}
