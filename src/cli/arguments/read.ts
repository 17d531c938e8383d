// argv → an invocation, or a usage error; nothing runs here. Two readers share the table of commands. The quick one for
// the poll of a crontab, and yargs for everything else, which also explains mistakes and prints help.
import type { Invocation } from '../command.ts'
import { inFull } from './short.ts'
import { plainPoll } from './plain-poll.ts'

/** Rejects with ERR_USAGE (exit 64), one line. `columns`: how wide help may be. */
export async function readArguments(argv: readonly string[], columns: number): Promise<Invocation> {
  const full = inFull(argv)
  return (await plainPoll(full)) ?? (await readEveryLine(full, columns))
}

/** yargs and the options of all commands cost 40 ms: a plain poll does not load them. */
async function readEveryLine(argv: readonly string[], columns: number): Promise<Invocation> {
  const { readWithYargs } = await import('./with-yargs.ts')
  return await readWithYargs(argv, columns)
}
