// argv → an invocation, or a usage error; nothing runs here. Two readers share the table of commands. The quick one for
// the poll of a crontab, and yargs for everything else, which also explains mistakes and prints help.
import { nearest } from '../../config/values/nearest.ts'
import { usageError } from '../command-errors.ts'
import type { Invocation } from '../command.ts'
import { COMMAND_WORDS } from '../commands/commands.ts'
import { inFull } from './short.ts'
import { plainPoll } from './plain-poll.ts'

/** Rejects with ERR_USAGE (exit 64), one line. `columns`: how wide help may be. */
export async function readArguments(argv: readonly string[], columns: number): Promise<Invocation> {
  const full = inFull(argv)
  const invocation = (await plainPoll(full)) ?? (await readEveryLine(full, columns))
  const [first, asked] = argv.filter((word) => !word.startsWith('-'))
  if (first === 'help' && argv[0] === 'help' && asked !== undefined && !COMMAND_WORDS.includes(asked))
    throw unknownCommand(asked)
  return invocation
}

function unknownCommand(word: string): Error {
  const hint = nearest(word, COMMAND_WORDS)
  return usageError(`no command is called "${word}"${hint === null ? '' : ` (did you mean "${hint}"?)`}`)
}

/** yargs and the options of all commands cost 40 ms: a plain poll does not load them. */
async function readEveryLine(argv: readonly string[], columns: number): Promise<Invocation> {
  const { readWithYargs } = await import('./with-yargs.ts')
  return await readWithYargs(argv, columns)
}
