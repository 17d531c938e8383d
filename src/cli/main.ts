// From argv to an exit code; the only place that knows the process. `bin/popfetch.ts` loads it after the version guard.
//
// The story of this room. `main` makes the surroundings of a command out of the process (surroundings.ts): streams
// (output.ts), signals (signals.ts), and access to the other rooms. `arguments/` reads argv once, against the one table of
// commands (commands/commands.ts), and makes an invocation of it or explains the mistake (command-errors.ts). The invocation
// runs the action of its command; a command is a folder of commands/ and keeps the contract of command.ts. What actions share:
// open/ (configuration, ledger, log, daemon) and terminal/ (progress, questions, tables). An action prints its answer and
// resolves to an exit code. A thrown error is printed here, and exit.ts turns it into a code. Then the process ends, even when
// something hangs.
//
// Static imports are small files of ours: what costs time is loaded by the command that needs it (test/cli/start.test.ts).
import { refuseUnsafeEnvironment, umaskOf } from '../environment.ts'
import { asPopfetchError } from '../errors.ts'
import { takeProcess } from '../poll/run/own-process.ts'
import { readArguments } from './arguments/read.ts'
import { COMMANDS } from './commands/commands.ts'
import { exitCodeOfError, EXIT_BUG, EXIT_IO, EXIT_OK, EXIT_SIGNAL } from '../status/exit.ts'
import { LeftByPerson } from './command-errors.ts'

import { Output } from './output.ts'
import { watchInterruptions } from './signals.ts'
import { isTerminal, StandardStream } from './terminal/standard-stream.ts'
import { type Cache, NO_CACHE, processHost, rooms, type Surroundings } from './surroundings.ts'
import { version } from './version.ts'

const SIGINT = 2

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[], cache: Cache = NO_CACHE): Promise<void> {
  const errors = new StandardStream(2)
  const output = new Output(new StandardStream(1), errors, columnsIn(process.env))
  if (argv.length === 1 && argv[0] === '--version') {
    output.answer(`popfetch ${version}`)
    return
  }
  process.umask(umaskOf(process.env))
  takeProcess()
  const exit = (code: number): never => {
    output.leave()
    return process.exit(code)
  }
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
    cwd: workingDirectory(),
    uid: process.getuid?.() ?? -1,
    output,
    terminal: errors.terminal,
    person: errors.isTTY || isTerminal(0),
    nowMs: Date.now,
    signal: interruptions.signal,
    interruption: interruptions.code,
    rooms,
    host: processHost((attempt) => {
      contains = attempt
    }, cache),
  })
  await output.drained()
  const { lost } = output
  if (lost !== null) {
    output.problem(`the answer is incomplete: standard output could not be written (${lost})`)
    await output.drained()
  }
  // Not left to the event loop: a socket that somebody forgot must not keep cron's process forever.
  exit(code === EXIT_OK && lost !== null ? EXIT_IO : code)
}

/** One command line, start to end: says what went wrong and resolves to the exit code; never rejects. */
export async function execute(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    const invocation = await readArguments(argv, (isTerminal(1) ? process.stdout.columns : undefined) ?? 80)
    refuseUnsafeEnvironment(surroundings.env)
    return await invocation.run(surroundings, COMMANDS)
  } catch (thrown) {
    const error = asPopfetchError(thrown, 'process')
    surroundings.output.failure(error, { json: wantsJson(argv) })
    if (error.code === 'ERR_BUG' && argv.includes('--verbose')) surroundings.output.note(stackOf(error.cause ?? error))
    return (
      surroundings.interruption() ?? (error instanceof LeftByPerson ? EXIT_SIGNAL + SIGINT : exitCodeOfError(error))
    )
  }
}

function columnsIn({ COLUMNS = '' }: NodeJS.ProcessEnv): number | null {
  return /^[1-9]\d{0,3}$/.test(COLUMNS) ? Number(COLUMNS) : null
}

/** Somebody may have removed it under a shell that is still in it. Absolute paths are right all the same, and yargs could not be
 *  loaded there. */
function workingDirectory(): string {
  try {
    return process.cwd()
  } catch {
    process.chdir('/')
    return '/'
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
