// `popfetch --daemon`: starts the daemon. With --foreground, and in that process, it runs the daemon itself
// (daemon/daemon.ts). This file decides on signals and on what is printed; logs.ts opens the logs.
import { existsSync } from 'node:fs'
import type { Memory } from '../../../config/sources/accounts-from.ts'
import { resolvePath, usualLogFile } from '../../../config/paths.ts'
import type { Configuration } from '../../../config/schema.ts'
import { stateWord } from '../../../config/state/place.ts'
import type { Starter } from '../../../daemon/detach.ts'
import type { Daemon, DaemonContext } from '../../../daemon/daemon.ts'
import type { Channel, Order, Word } from '../../../daemon/workers/protocol.ts'
import { reportError } from '../../../poll/report.ts'
import { boundingYoung } from '../../../poll/run/garbage.ts'
import { asPopfetchError, PopfetchError } from '../../../errors.ts'
import { usageError } from '../../command-errors.ts'
import { STANDARD_ERROR } from '../../common-options.ts'
import { EXIT_OK, exitCodeOfError } from '../../../status/exit.ts'
import { boundCompileCache } from '../../compile-cache.ts'
import { holdProgram } from '../../held-program.ts'
import { isConfigured } from './first-configuration.ts'
import type { DaemonInvocation } from './options.ts'
import { logFileOf, machineOf, readConfiguration, selected, tellWarnings } from '../../open/configured.ts'
import { logTo, openLogs, type Logs } from './logs.ts'
import { askRunning } from '../../open/ask-daemon.ts'
import type { Surroundings } from '../../surroundings.ts'
import { version } from '../../version.ts'

/** A daemon reads the files themselves. What is kept of them for the next start opens at once, without pauses for polls, and so is it kept:
 *  a tenth of a second for ten thousand accounts. A process that lives for months saves nothing by it. */
const isFresh = true

/** Resolves to 0 once the process runs in the background, or when the daemon in this one was told to end. */
export async function run(invocation: DaemonInvocation, surroundings: Surroundings): Promise<number> {
  const daemon = await surroundings.host.daemon()
  if (daemon !== null) return await workFor(daemon, invocation, surroundings)
  const starter = await surroundings.host.starter()
  if (!(await isConfigured(invocation, surroundings))) return EXIT_OK
  const known = starter === null ? await refuseSecond(invocation, surroundings) : null
  if (starter === null && !invocation.foreground) return await toBackground(invocation, surroundings)
  try {
    return await work(invocation, surroundings, { starter, known })
  } catch (error) {
    starter?.failed(error)
    throw error
  }
}

/** Only for a quick answer: it is the lease that really keeps a second daemon away. Gives the configuration that it has read, unless a
 *  program is to be asked for the accounts, which is done for a daemon alone. */
async function refuseSecond(invocation: DaemonInvocation, surroundings: Surroundings): Promise<Configuration | null> {
  const configuration = await boundingYoung(() =>
    readConfiguration(invocation, surroundings, { purpose: 'kept', isFresh: invocation.foreground }),
  )
  const running = await askRunning(configuration.statePath, { verb: 'status' }, surroundings)
  if (running === null) return configuration.accountsFrom === null ? configuration : null
  throw new PopfetchError(
    'ERR_BUSY',
    `a daemon (pid ${running.pid}) already uses this ledger: see popfetch status; popfetch reload applies a changed configuration`,
    { scope: 'process', retry: 'later' },
  )
}

async function toBackground(invocation: DaemonInvocation, surroundings: Surroundings): Promise<number> {
  const { env, host, signal, output, person, nowMs } = surroundings
  if (invocation.logFile === STANDARD_ERROR)
    throw usageError('--log-file - needs --foreground: a daemon in the background has no standard error')
  const { startInBackground } = await import('../../../daemon/detach.ts')
  const configuration = await readConfiguration(invocation, surroundings)
  selected(configuration, invocation.accounts)
  if (configuration.trouble !== null) surroundings.output.problem(configuration.trouble.message)
  tellWarnings(configuration.warnings, invocation, surroundings)
  const logFile = logFileOf(configuration, invocation, surroundings) ?? usualLogFile(configuration)
  const args = argumentsOf(invocation, configuration.file, surroundings)
  const pid = await startInBackground({ command: [...host.command, ...args], env, signal, logFile })
  if (invocation.json) {
    output.object({ ok: true, accounts: [], daemon: { running: true, pid, since: new Date(nowMs()).toISOString() } })
  } else if (person && !invocation.quiet) {
    output.say(`popfetch is running in the background (pid ${pid}); its log is ${logFile}`)
    await sayHowItStarts(configuration, invocation, surroundings)
  }
  return EXIT_OK
}

/** Whoever has the unit already need not be told again. */
async function sayHowItStarts(
  { file }: Configuration,
  { state }: DaemonInvocation,
  surroundings: Surroundings,
): Promise<void> {
  const { output, cwd, env } = surroundings
  const { rebootLine, systemdUnit, unitFile } = await import('../../open/schedule-lines.ts')
  if (existsSync(unitFile(surroundings))) return
  const place = { configurationFile: file, state: state === null ? null : stateWord(state, cwd, env) }
  output.say('To start it with the machine, by cron (crontab -e):')
  output.sayWhole(rebootLine(place, surroundings))
  output.say('or by systemd:')
  output.sayWhole(systemdUnit(place, surroundings).trimEnd())
}

/** The command line again, with absolute paths: the daemon runs in another directory. */
function argumentsOf(invocation: DaemonInvocation, config: string, { cwd, env }: Surroundings): readonly string[] {
  const { state, logFile, logLevel, accounts, workers } = invocation
  return [
    '--daemon',
    ...(workers === 1 ? [] : ['--workers', String(workers)]),
    '--config',
    config,
    ...(state === null ? [] : ['--state', stateWord(state, cwd, env)]),
    ...(logFile === null ? [] : ['--log-file', resolvePath(logFile, cwd, env)]),
    ...(logLevel === null ? [] : ['--log-level', logLevel]),
    ...(accounts.length === 0 ? [] : ['--', ...accounts]),
  ]
}

async function work(
  invocation: DaemonInvocation,
  surroundings: Surroundings,
  { starter, known }: { readonly starter: Starter | null; readonly known: Configuration | null },
): Promise<number> {
  const { env, host, signal, rooms } = surroundings
  holdProgram()
  boundCompileCache(env)
  const { Daemon } = await import('../../../daemon/daemon.ts')
  const { startWorker } = await import('../../../daemon/detach.ts')
  // Where answers are not kept in a file, this process remembers them.
  const memory: Memory = { kept: null, read: null }
  const configuration =
    known ??
    (await boundingYoung(() => readConfiguration(invocation, surroundings, { purpose: 'poll', memory, isFresh })))
  selected(configuration, invocation.accounts)
  await using opened = new AsyncDisposableStack()
  const { openLedger } = await rooms.ledger()
  // Before the log: it makes the directory in which both are by default.
  const opening = { env, headers: configuration.headers, ...machineOf(configuration) }
  const ledger = opened.use(await openLedger(configuration, opening).catch(notStarted))
  const logs = await openLogs(configuration, invocation, surroundings, starter)
  opened.use(logs.log)
  const signals = listen(logs, surroundings)
  const args = argumentsOf({ ...invocation, workers: 1 }, configuration.file, surroundings)
  const context: DaemonContext = {
    configuration,
    only: invocation.accounts,
    load: (yes, again = false) => {
      const file = { ...invocation, config: configuration.file }
      return boundingYoung(() =>
        readConfiguration(file, surroundings, { purpose: 'poll', memory, yes, again, isFresh }),
      )
    },
    prepare: (next) => logs.reopen(next),
    ledger,
    log: logs.log,
    env,
    signal,
    version,
    workers: { others: invocation.workers - 1, start: () => startWorker([...host.command, ...args], env) },
  }
  const daemon = opened.use(await boundingYoung(() => Daemon.start(context)))
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

/** What passes by itself is waited for by a daemon that runs, and by nobody who has ended. */
function notStarted(thrown: unknown): never {
  const error = asPopfetchError(thrown, 'process')
  if (error.code !== 'ERR_LEDGER' || error.retry !== 'soon') throw error
  const { scope, retry } = error
  const text = `${error.message}; the daemon was not started: start it again then, unless systemd does`
  throw new PopfetchError('ERR_LEDGER', text, { scope, retry, cause: error })
}

/** One of several processes: the daemon that started it has socket, log and page. */
async function workFor(
  daemon: Channel<Word, Order>,
  invocation: DaemonInvocation,
  surroundings: Surroundings,
): Promise<number> {
  const { env, host, signal, rooms } = surroundings
  holdProgram()
  // The daemon hears them, and says what is to be done.
  for (const ignored of ['SIGHUP', 'SIGUSR1'] as const) host.on(ignored, () => {})
  try {
    const { Worker } = await import('../../../daemon/workers/worker.ts')
    const configuration = await boundingYoung(() => readAsWorker(invocation, surroundings))
    await using opened = new AsyncDisposableStack()
    const { openLedger } = await rooms.ledger()
    const ledger = opened.use(
      await openLedger(configuration, { env, headers: configuration.headers, ...machineOf(configuration) }),
    )
    const worker = opened.use(
      await Worker.start({
        configuration,
        only: invocation.accounts,
        load: () => readAsWorker({ ...invocation, config: configuration.file }, surroundings),
        ledger,
        log: logTo(daemon, invocation.logLevel ?? configuration.log.level),
        env,
        signal,
        version,
        daemon,
      }),
    )
    host.contain((thrown) => worker.contain(thrown))
    await worker.end
    return EXIT_OK
  } catch (error) {
    // The daemon tells it.
    const reported = reportError(asPopfetchError(error, 'process'))
    daemon.say({ kind: 'failed', error: reported })
    return exitCodeOfError(reported)
  }
}

/** The daemon has asked the program of `accountsFrom`, and kept its answer, unless it is not to be kept. */
async function readAsWorker(invocation: DaemonInvocation, surroundings: Surroundings): Promise<Configuration> {
  const kept = await readConfiguration(invocation, surroundings, { purpose: 'kept', isFresh })
  return kept.trouble === null ? kept : await readConfiguration(invocation, surroundings, { isFresh })
}

/** Listens before anybody can know of the process: until then these signals would end it. A signal that comes before the
 *  daemon is there can be ignored: it has just read its configuration and polls soon. */
function listen(logs: Logs, { host, terminal }: Surroundings): { handTo(daemon: Daemon): void } {
  let running: Daemon | null = null
  let hungUp = false
  host.on('SIGUSR1', () => running?.wake())
  host.on('SIGHUP', () => {
    // Its terminal is gone, and it was not asked to outlive it.
    hungUp = terminal !== null && !host.attached()
    if (hungUp) running?.stop()
    // The log first: somebody who moved its file away wants a new one, even if the configuration is wrong.
    else
      void logs
        .reopen(null)
        .then(() => running?.reload({ yes: false }))
        .catch(() => {})
  })
  return {
    handTo(daemon) {
      running = daemon
      if (hungUp) daemon.stop()
    },
  }
}
