// `popfetch --daemon`: into the background, or with --foreground, and in the process that was started in the background, the
// work itself. What that is: daemon/daemon.ts. Here: which log, which signals, what is said to whom.
import path from 'node:path'
import { resolvePath, stateFolder } from '../../../config/paths.ts'
import type { Configuration } from '../../../config/schema.ts'
import type { Starter } from '../../../daemon/detach.ts'
import type { Daemon } from '../../../daemon/daemon.ts'
import { display } from '../../../display.ts'
import { errnoOf, PopfetchError } from '../../../errors.ts'
import { bothLogs, openLog, printedLog, type FileLog, type Log, type LogLevel } from '../../../log.ts'
import { EXIT_OK } from '../../exit.ts'
import type { DaemonInvocation } from './options.ts'
import { readConfiguration, selected } from '../../open/configured.ts'
import { askRunning } from '../../open/ask-daemon.ts'
import type { Surroundings } from '../../surroundings.ts'
import { version } from '../../version.ts'

/** Resolves to the exit code: 0 once it runs in the background, or when it was told to end. */
export async function run(invocation: DaemonInvocation, surroundings: Surroundings): Promise<number> {
  const starter = await surroundings.host.starter()
  if (starter === null) await refuseSecond(invocation, surroundings)
  if (starter === null && !invocation.foreground) return await toBackground(invocation, surroundings)
  try {
    return await work(invocation, surroundings, starter)
  } catch (error) {
    starter?.failed(error)
    throw error
  }
}

/** Only for a quick answer: what really keeps a second one away is the lease. */
async function refuseSecond(invocation: DaemonInvocation, surroundings: Surroundings): Promise<void> {
  const { statePath } = await readConfiguration(invocation, surroundings)
  const running = await askRunning(statePath, { verb: 'status' }, surroundings)
  if (running === null) return
  throw new PopfetchError(
    'ERR_BUSY',
    `a background process (${running.pid}) works on this ledger already: see popfetch status; popfetch reload makes it read its configuration again`,
    { scope: 'process', retry: 'later' },
  )
}

async function toBackground(invocation: DaemonInvocation, surroundings: Surroundings): Promise<number> {
  const { env, host, signal, output, person, nowMs } = surroundings
  const { startInBackground } = await import('../../../daemon/detach.ts')
  const configuration = await readConfiguration(invocation, surroundings)
  selected(configuration.accounts, invocation.accounts)
  if (person && !invocation.quiet) {
    for (const warning of configuration.warnings) output.problem(`warning: ${warning}`)
  }
  const logFile = logFileOf(configuration, invocation, surroundings) ?? usualLogFile(configuration)
  const args = argumentsOf(invocation, configuration.file, surroundings)
  const pid = await startInBackground({ command: [...host.command, ...args], env, signal, logFile })
  if (invocation.json) {
    output.object({ ok: true, accounts: [], daemon: { running: true, pid, since: new Date(nowMs()).toISOString() } })
  } else if (person && !invocation.quiet) {
    output.say(`popfetch polls in the background (process ${pid}); its log is ${logFile}`)
  }
  return EXIT_OK
}

/** The same again, with paths that mean the same in any directory. */
function argumentsOf(invocation: DaemonInvocation, config: string, { cwd, env }: Surroundings): readonly string[] {
  const { state, logFile, logLevel, accounts } = invocation
  return [
    '--daemon',
    '--config',
    config,
    ...(state === null ? [] : ['--state', resolvePath(state, cwd, env)]),
    ...(logFile === null ? [] : ['--log-file', resolvePath(logFile, cwd, env)]),
    ...(logLevel === null ? [] : ['--log-level', logLevel]),
    ...(accounts.length === 0 ? [] : ['--', ...accounts]),
  ]
}

async function work(
  invocation: DaemonInvocation,
  surroundings: Surroundings,
  starter: Starter | null,
): Promise<number> {
  const { env, host, signal, rooms } = surroundings
  const { Daemon } = await import('../../../daemon/daemon.ts')
  const configuration = await readConfiguration(invocation, surroundings)
  selected(configuration.accounts, invocation.accounts)
  await using opened = new AsyncDisposableStack()
  const { openLedger } = await rooms.ledger()
  // Before the log: it makes the directory in which both are by default.
  const ledger = opened.use(await openLedger(configuration.statePath))
  const logs = await openLogs(configuration, invocation, surroundings, starter)
  opened.use(logs.log)
  const signals = listen(logs, surroundings)
  const daemon = opened.use(
    await Daemon.start({
      configuration,
      only: invocation.accounts,
      load: () => readConfiguration({ ...invocation, config: configuration.file }, surroundings),
      prepare: (next) => logs.reopen(next),
      ledger,
      log: logs.log,
      env,
      signal,
      version,
    }),
  )
  host.contain((thrown) => daemon.contain(thrown))
  signals.handTo(daemon)
  starter?.up()
  try {
    await daemon.end
  } catch (error) {
    logs.log.error(error instanceof Error ? error.message : String(error))
    throw error
  }
  logs.log.info('stopping')
  return EXIT_OK
}

/** Listens before the process can be seen to run: without that these signals would end it. What comes too early for the
 *  daemon is nothing to it: it has just read its configuration, and polls soon. */
function listen(logs: Logs, { host, terminal }: Surroundings): { handTo(daemon: Daemon): void } {
  let running: Daemon | null = null
  let hungUp = false
  host.on('SIGUSR1', () => running?.wake())
  host.on('SIGHUP', () => {
    // The terminal it was started on is gone, and nobody has asked for a process that outlives it.
    hungUp = terminal !== null && !host.attached()
    if (hungUp) running?.stop()
    // The log first: whoever moved its file away wants a new one, whatever the configuration is like.
    else
      void logs
        .reopen(null)
        .then(() => running?.reload())
        .catch(() => {})
  })
  return {
    handTo(daemon) {
      running = daemon
      if (hungUp) daemon.stop()
    },
  }
}

interface Logs {
  readonly log: Log
  /** Goes on as `configuration` says; null: in the same file, made anew if it was moved away. */
  reopen(configuration: Configuration | null): Promise<void>
}

/** In the foreground standard error is a log as well; in the background there is always a file. */
async function openLogs(
  configuration: Configuration,
  invocation: DaemonInvocation,
  surroundings: Surroundings,
  starter: Starter | null,
): Promise<Logs> {
  const { output, terminal, nowMs } = surroundings
  const place = (now: Configuration): string | null =>
    logFileOf(now, invocation, surroundings) ?? (starter === null ? null : usualLogFile(now))
  const level = (now: Configuration): LogLevel => invocation.logLevel ?? now.log.level
  const printed = await printedLog(
    (line) => output.note(line),
    invocation.verbose ? 'debug' : invocation.quiet ? 'error' : level(configuration),
    terminal === null ? 'json' : 'plain',
    nowMs,
  )
  let current = configuration
  const file = place(configuration)
  if (file === null) return { log: printed, reopen: () => Promise.resolve() }
  const written = await opened(file, () => openLog(file, level(configuration)))
  return {
    log: starter === null ? bothLogs(written, printed) : written,
    async reopen(next) {
      const wanted = next ?? current
      const where = place(wanted) ?? file
      await opened(where, () => written.reopen(where, level(wanted)))
      current = wanted
    },
  }
}

/** A process that nobody watches does not begin without a log. */
async function opened<T extends FileLog | void>(file: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (cause) {
    const text = `cannot open the log ${display(file, 200)} (${errnoOf(cause) ?? String(cause)}): name another with log.file or --log-file`
    throw new PopfetchError('ERR_CONFIG', text, { scope: 'process', retry: 'never', cause })
  }
}

function logFileOf({ log }: Configuration, { logFile }: DaemonInvocation, { cwd, env }: Surroundings): string | null {
  return logFile === null ? log.file : resolvePath(logFile, cwd, env)
}

function usualLogFile(configuration: Configuration): string {
  return path.join(stateFolder(configuration), 'popfetch.log')
}
