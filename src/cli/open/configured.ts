// What a command needs that works with the configured accounts: the configuration, the accounts that were named, the log
// and the ledger. Unknown accounts are refused here, before anything is opened.
import { keepConfiguration, keptConfiguration } from '../../config/kept/kept.ts'
import { Witness } from '../../config/kept/witness.ts'
import type { LoadOptions } from '../../config/load.ts'
import { resolvePath } from '../../config/paths.ts'
import type { Account, Configuration } from '../../config/schema.ts'
import { isContainer } from '../../environment.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { openLog, printedLog, silentLog, type Log, type LogForm } from '../../log.ts'
import { obstacleOf } from '../../own-file.ts'
import { nodeTls } from '../../pop3/network/trust.ts'
import { STANDARD_ERROR, type CommonOptions } from '../common-options.ts'
import type { Surroundings } from '../surroundings.ts'
import { disabledAccount, unknownAccount } from '../command-errors.ts'
import { refuseUnmounted } from './mounts.ts'

/** The records of a run; disposing closes both. */
interface Records extends AsyncDisposable {
  readonly ledger: Ledger
  readonly log: Log
}

export interface OpenedRun extends Records {
  readonly configuration: Configuration
  /** The accounts that were named, in the order of the configuration; all when none was named. */
  readonly accounts: readonly Account[]
}

/** Rejects with ERR_CONFIG, ERR_USAGE or ERR_LEDGER; then nothing is left open. `commands`: what a name may have been meant for,
 *  too. */
export async function openRun(
  invocation: CommonOptions & { readonly accounts: readonly string[] },
  surroundings: Surroundings,
  { commands = [], ...asked }: { readonly commands?: readonly string[] } & Asked = {},
): Promise<OpenedRun> {
  const configuration = await readConfiguration(invocation, surroundings, asked)
  const accounts = selected(configuration, invocation.accounts, commands)
  tellWarnings(configuration.warnings, invocation, surroundings)
  // Node reads its certificate authorities when its TLS is loaded: 10 ms in a thread, while the ledger is opened.
  if (accounts.some(({ tls }) => tls !== 'none')) nodeTls()
  return { configuration, accounts, ...(await openRecords(configuration, invocation, surroundings)) }
}

/** Opens ledger and log. Rejects with ERR_LEDGER; then nothing is left open. */
export async function openRecords(
  configuration: Configuration,
  options: CommonOptions,
  surroundings: Surroundings,
): Promise<Records> {
  const { env } = surroundings
  await refuseUnmounted(configuration, surroundings)
  await using opened = new AsyncDisposableStack()
  const log = opened.use(await openConfiguredLog(configuration, options, surroundings))
  const { openLedger } = await surroundings.rooms.ledger()
  const ledger = opened.use(
    await openLedger(configuration, { env, headers: configuration.headers, ...machineOf(configuration) }),
  )
  const owned = opened.move()
  return { ledger, log, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** As the other machines know this one. */
export function machineOf({ daemon }: Pick<Configuration, 'daemon'>): { readonly machine?: string } {
  return daemon.machine === null ? {} : { machine: daemon.machine }
}

/** `isFresh`: the file is checked, whether it was before or not. The program of `accountsFrom` is asked as by a command that only
 *  looks, unless said. */
type Asked = Pick<LoadOptions, 'purpose' | 'yes' | 'memory' | 'again'> & { readonly isFresh?: boolean }

/** Rejects with ERR_CONFIG. */
export async function readConfiguration(
  options: CommonOptions,
  surroundings: Surroundings,
  { isFresh = false, ...asked }: Asked = {},
): Promise<Configuration> {
  const { env, cwd, uid, host, signal } = surroundings
  const call = { file: options.config, state: options.state, env, cwd, uid }
  const folder = isFresh ? null : host.cacheFolder
  const kept = folder === null ? null : await keptConfiguration(call, folder)
  const configuration = kept ?? (await load({ ...call, signal, purpose: 'look', ...asked }, folder, surroundings))
  await refuseUnmounted(configuration, surroundings)
  return configuration
}

async function load(call: LoadOptions, folder: string | null, { rooms }: Surroundings): Promise<Configuration> {
  const { loadConfiguration } = await rooms.configuration()
  if (folder === null) return await loadConfiguration(call)
  const witness = new Witness(call.env)
  const configuration = await loadConfiguration({ ...call, witness })
  keepConfiguration(configuration, witness, call, folder)
  return configuration
}

/** The accounts with these names; without names, all that are polled. Throws ERR_USAGE for one that is disabled, and for a name that is
 *  not configured, which may have been meant for one of `commands`. */
export function selected(
  { accounts: configured, disabled }: Pick<Configuration, 'accounts' | 'disabled'>,
  named: readonly string[],
  commands: readonly string[] = [],
): readonly Account[] {
  if (named.length === 0) return configured
  const names = configured.map((account) => account.name)
  for (const name of named) {
    if (disabled.some((account) => account.name === name)) throw disabledAccount(name)
    if (!names.includes(name)) throw unknownAccount(name, names, { commands })
  }
  return configured.filter((account) => named.includes(account.name))
}

/** When the log cannot be opened, that is told and the run goes on: mail is fetched without a log, too. */
export async function openConfiguredLog(
  configuration: Configuration,
  options: CommonOptions,
  surroundings: Surroundings,
): Promise<Log> {
  const { output, terminal, nowMs } = surroundings
  const file = logFileOf(configuration, options, surroundings)
  const level = options.logLevel ?? configuration.log.level
  if (file === null) {
    if (options.logFile === null && options.logLevel === null) return silentLog
    const form = printedForm(configuration, terminal)
    const printed = await printedLog(output.logged(form), level, form, nowMs)
    return sayUnjudged(printed, surroundings)
  }
  try {
    return sayUnjudged(
      await openLog(file, level, { form: configuration.log.format ?? 'json', turnAtBytes: Infinity }),
      surroundings,
    )
  } catch (error) {
    output.problem(`cannot open the log ${file} (${obstacleOf(error)}): continuing without it`)
    return silentLog
  }
}

/** What is printed to a terminal is for people, unless the configuration says otherwise. */
export function printedForm({ log }: Configuration, terminal: Surroundings['terminal']): LogForm {
  return log.format ?? (terminal === null ? 'json' : 'text')
}

/** Says in a log that opens that files are not judged here. Gives the log. */
export function sayUnjudged<T extends Log>(log: T, { env }: Pick<Surroundings, 'env'>): T {
  if (isContainer(env)) log.info('POPFETCH_CONTAINER=1: owner and mode of files are not checked')
  return log
}

/** The file of `--log-file`, else that of the configuration; null: no file is named, or standard error. */
export function logFileOf(
  { log }: Configuration,
  { logFile }: CommonOptions,
  { cwd, env }: Surroundings,
): string | null {
  if (logFile === STANDARD_ERROR) return null
  return logFile === null ? log.file : resolvePath(logFile, cwd, env)
}

/** Warnings are for a person at a terminal: cron would mail them at every poll. */
export function tellWarnings(
  warnings: readonly string[],
  { quiet }: CommonOptions,
  { output, person }: Surroundings,
): void {
  if (!person || quiet) return
  for (const warning of warnings) output.problem(`warning: ${warning}`)
}
