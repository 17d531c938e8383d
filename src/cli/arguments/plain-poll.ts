// The command line of a plain poll, as crontabs have it, read without yargs: a tenth of an idle poll goes there otherwise.
// Nothing is refused here: what is not plainly right (another command, an unknown option, a value that may be wrong) is null
// and left to options.ts, which explains it. The one rule: whatever is understood here, options.ts understands alike.
import { parseArgs } from 'node:util'
import { COMMAND_WORDS } from '../commands/names.ts'
import type { PollInvocation } from '../command.ts'
import { COMMON, COUNT, LEVELS, POLL } from '../poll-options.ts'

const { help: _help, version: _version, ...PLAIN } = { ...COMMON, ...POLL }

/** Text that no reader of command lines has ideas of its own about: quotes, hyphens in front, numbers with a sign. */
const PLAIN_TEXT = /^[\w./~][\w./~@:+,-]*$/

const ACCOUNT = /^[\w.][\w.-]*$/

/** Null: not that simple. */
export function pollLine(argv: readonly string[]): PollInvocation | null {
  const parsed = parsedSimply(argv)
  if (parsed === null) return null
  const { values, positionals, tokens } = parsed
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
  if (new Set(given).size !== given.length || tokens.some(({ kind }) => kind === 'option-terminator')) return null
  const texts = Object.values(values).filter((value) => typeof value === 'string')
  if (!texts.every((text) => PLAIN_TEXT.test(text)) || !positionals.every(isPlainAccount)) return null

  const { limit, quiet = false, verbose = false } = values
  const logLevel = LEVELS.find((level) => level === values['log-level']) ?? null
  if ((logLevel ?? undefined) !== values['log-level']) return null
  if ((limit !== undefined && !COUNT.test(limit)) || (quiet && verbose)) return null
  return {
    command: 'poll',
    config: values.config ?? null,
    state: values.state ?? null,
    quiet,
    verbose,
    json: values.json ?? false,
    logFile: values['log-file'] ?? null,
    logLevel,
    accounts: [...new Set(positionals)],
    dryRun: values['dry-run'] ?? false,
    limit: limit === undefined ? null : Number(limit),
    acceptNewIds: values['accept-new-ids'] ?? false,
    yes: values.yes ?? false,
    all: values.all ?? false,
  }
}

/** Commands are left to options.ts, and words that yargs takes for the value of a flag before them. */
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
