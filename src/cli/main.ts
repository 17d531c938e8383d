// From argv to an exit code: the only place that knows the process. Which command runs, what a thrown error means for
// the exit code, and that the program ends even when something hangs. `bin/popfetch.ts` loads it after the version guard.
// Static imports are small files of ours: whatever costs time is loaded by the command that needs it.
import { isatty } from 'node:tty'
import { asPopfetchError } from '../errors.ts'
import { exitCodeOfError, EXIT_BUG, EXIT_OK } from './exit.ts'

import type { Invocation } from './arguments/read.ts'
import { Output } from './output.ts'
import { pollLine } from './arguments/plain-poll.ts'
import { watchInterruptions } from './signals.ts'
import { processHost, rooms, type Surroundings } from './surroundings.ts'
import { version } from './version.ts'

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const output = new Output(process.stdout, process.stderr)
  if (argv.length === 1 && argv[0] === '--version') {
    output.answer(`popfetch ${version}`)
    return
  }
  // Whatever is made on the way is private, also where a mode was forgotten (D009, N017).
  process.umask(0o077)
  const exit = (code: number): never => process.exit(code)
  let contains: (thrown: unknown) => boolean = () => false
  const crash = (thrown: unknown): void => {
    if (contains(thrown)) return
    const error = asPopfetchError(thrown, 'process')
    output.failure(error, { json: wantsJson(argv) })
    if (argv.includes('--verbose')) output.note(stackOf(error.cause ?? error))
    exit(EXIT_BUG)
  }
  // Unhandled rejections come here as well (N005).
  process.on('uncaughtException', crash)
  const interruptions = watchInterruptions(exit)
  const code = await execute(argv, {
    env: process.env,
    cwd: process.cwd(),
    uid: process.getuid?.() ?? -1,
    output,
    terminal: process.stderr.isTTY ? process.stderr : null,
    // Asked of the system: a stream is not made for it, least of all one that nobody reads.
    person: isatty(2) || isatty(0),
    nowMs: Date.now,
    signal: interruptions.signal,
    interruption: interruptions.code,
    rooms,
    host: processHost((attempt) => {
      contains = attempt
    }),
  })
  await output.drained()
  // Not left to the event loop: a socket that somebody forgot must not keep cron's process for ever.
  exit(code)
}

/** One command line, start to end: says what went wrong and resolves to the exit code; never rejects. */
export async function execute(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    return await carriedOut(pollLine(argv) ?? (await everyLine(argv)), surroundings)
  } catch (thrown) {
    const error = asPopfetchError(thrown, 'process')
    surroundings.output.failure(error, { json: wantsJson(argv) })
    if (error.code === 'ERR_BUG' && argv.includes('--verbose')) surroundings.output.note(stackOf(error.cause ?? error))
    return surroundings.interruption() ?? exitCodeOfError(error)
  }
}

/** yargs, its options and its checks cost 40 ms: where poll-line.ts understands, they are not loaded. */
async function everyLine(argv: readonly string[]): Promise<Invocation> {
  const { parseArguments } = await import('./arguments/read.ts')
  return await parseArguments(argv, process.stdout.columns ?? 80)
}

async function carriedOut(invocation: Invocation, surroundings: Surroundings): Promise<number> {
  switch (invocation.command) {
    case 'help':
      surroundings.output.answer(invocation.text)
      return EXIT_OK
    case 'version':
      surroundings.output.answer(`popfetch ${version}`)
      return EXIT_OK
    case 'poll':
      return await (await import('./commands/poll/action.ts')).pollCommand(invocation, surroundings)
    case 'daemon':
      return await (await import('./commands/daemon/action.ts')).daemonCommand(invocation, surroundings)
    case 'stop':
    case 'reload':
    case 'wake':
      return await (await import('./open/ask-daemon.ts')).speakCommand(invocation, surroundings)
    case 'completion':
      return await (await import('./commands/completion/action.ts')).completionCommand(invocation, surroundings)
    case 'check':
      return await (await import('./commands/check/action.ts')).checkCommand(invocation, surroundings)
    case 'migrate':
      return await (await import('./commands/migrate/action.ts')).migrateCommand(invocation, surroundings)
    case 'import':
      return await (await import('./commands/import/action.ts')).importCommand(invocation, surroundings)
    case 'init':
      return await (await import('./commands/init/action.ts')).initCommand(invocation, surroundings)
    case 'status':
      return await (await import('./commands/status/action.ts')).statusCommand(invocation, surroundings)
    case 'state':
      return await (await import('./commands/state/action.ts')).stateCommand(invocation, surroundings)
    case 'config':
      return await (await import('./commands/config/action.ts')).configCommand(invocation, surroundings)
  }
}

/** Also true for a command line that could not be understood: whoever asked for JSON reads JSON. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json')
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
}
