// The logs of a daemon: which there are, and how they go on after a reload.
import { usualLogFile } from '../../../config/paths.ts'
import type { Configuration } from '../../../config/schema.ts'
import type { Starter } from '../../../daemon/detach.ts'
import type { Channel, Order, Word } from '../../../daemon/workers/protocol.ts'
import { display } from '../../../display.ts'
import {
  bothLogs,
  handedLog,
  openLog,
  printedLog,
  type FileLog,
  type Log,
  type LogFacts,
  type LogLevel,
} from '../../../log.ts'
import { obstacleOf } from '../../../own-file.ts'
import { configurationError } from '../../command-errors.ts'
import { logFileOf, printedForm, sayUnjudged } from '../../open/configured.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { DaemonInvocation } from './options.ts'

/** The usual log is turned at this length: with the one before it 20 MB, years of an ordinary daemon (DESIGN 5). */
const USUAL_LOG_BYTES = 10_000_000

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']

export interface Logs {
  readonly log: Log
  /** Goes on as `configuration` says; null: in the same place, in a new file if the old one was moved away. */
  reopen(configuration: Configuration | null): Promise<void>
}

/** In the foreground standard error is a log as well; in the background there is always a file. Rejects with ERR_CONFIG. */
export async function openLogs(
  configuration: Configuration,
  invocation: DaemonInvocation,
  surroundings: Surroundings,
  starter: Starter | null,
): Promise<Logs> {
  const { output, terminal, nowMs } = surroundings
  const named = (now: Configuration): string | null => logFileOf(now, invocation, surroundings)
  const place = (now: Configuration): string | null => named(now) ?? (starter === null ? null : usualLogFile(now))
  const level = (now: Configuration): LogLevel => invocation.logLevel ?? now.log.level
  const printedAs = printedForm(configuration, terminal)
  const printed = await printedLog(
    output.logged(printedAs),
    invocation.verbose ? 'debug' : invocation.quiet ? 'error' : level(configuration),
    printedAs,
    nowMs,
  )
  let current = configuration
  const file = place(configuration)
  if (file === null) return { log: sayUnjudged(printed, surroundings), reopen: () => Promise.resolve() }
  // A file that somebody named is turned by whoever turns their logs (SIGHUP).
  const turnAtBytes = named(configuration) === null ? USUAL_LOG_BYTES : Infinity
  const form = configuration.log.format ?? 'json'
  const written = await opened(file, () => openLog(file, level(configuration), { form, turnAtBytes }))
  return {
    log: sayUnjudged(starter === null ? bothLogs(written, printed) : written, surroundings),
    async reopen(next) {
      const wanted = next ?? current
      const where = place(wanted) ?? file
      await opened(where, () => written.reopen(where, level(wanted)))
      current = wanted
    },
  }
}

/** The log of a process that shares the work of a daemon: it has the lines. A trace of sessions is too much for the way there. */
export function logTo(daemon: Channel<Word, Order>, level: LogLevel): Log {
  const say = (at: Exclude<LogLevel, 'trace'>) => (text: string, facts: LogFacts) =>
    daemon.say({ kind: 'log', level: at, text, facts })
  const isWanted = (at: LogLevel): boolean => LEVELS.indexOf(at) >= LEVELS.indexOf(level)
  const wanted = LEVELS.flatMap((at) => (at !== 'trace' && isWanted(at) ? [[at, say(at)] as const] : []))
  return handedLog(Object.fromEntries(wanted))
}

/** A process that nobody watches does not begin without its log. */
async function opened<T extends FileLog | void>(file: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (cause) {
    const text = `cannot open the log ${display(file, 200)} (${obstacleOf(cause)}): choose another with log.file or --log-file`
    throw configurationError(text, cause)
  }
}
