// What `poll` and `check` have in common: the configuration, the accounts that were named, the log and the ledger,
// open for as long as the run lasts. Here unknown accounts are refused, before anything is touched.
import { resolvePath } from '../../config/paths.ts'
import type { Account, Configuration } from '../../config/schema.ts'
import { errnoOf } from '../../errors.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { openLog, silentLog, type Log } from '../../log.ts'
import { nodeTls } from '../../pop3/network/trust.ts'
import type { CommonOptions } from '../common-options.ts'
import type { Surroundings } from '../surroundings.ts'
import { unknownAccount } from '../usage.ts'

export interface OpenedRun extends AsyncDisposable {
  readonly configuration: Configuration
  /** Those named, in the order of the configuration; all of them when none was named. */
  readonly accounts: readonly Account[]
  readonly ledger: Ledger
  readonly log: Log
}

/** Rejects with ERR_CONFIG, ERR_USAGE or ERR_LEDGER; then nothing is left open. Disposing closes ledger and log. */
export async function openRun(
  invocation: CommonOptions & { readonly accounts: readonly string[] },
  surroundings: Surroundings,
): Promise<OpenedRun> {
  const { output, person, rooms } = surroundings
  const configuration = await readConfiguration(invocation, surroundings)
  const accounts = selected(configuration.accounts, invocation.accounts)
  if (person && !invocation.quiet) {
    for (const warning of configuration.warnings) output.problem(`warning: ${warning}`)
  }
  // When its TLS is loaded, Node reads its authorities in a thread, 10 ms: while the ledger is opened, not afterwards.
  if (accounts.some(({ tls }) => tls !== 'none')) nodeTls()
  await using opened = new AsyncDisposableStack()
  const log = opened.use(await openConfiguredLog(configuration, invocation, surroundings))
  const { openLedger } = await rooms.ledger()
  const ledger = opened.use(await openLedger(configuration.statePath))
  const owned = opened.move()
  return { configuration, accounts, ledger, log, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

export async function readConfiguration(options: CommonOptions, surroundings: Surroundings): Promise<Configuration> {
  const { env, cwd, uid, rooms } = surroundings
  const { loadConfiguration } = await rooms.configuration()
  return await loadConfiguration({ file: options.config, state: options.state, env, cwd, uid })
}

/** Rejects names that are not configured with ERR_USAGE. */
export function selected(configured: readonly Account[], named: readonly string[]): readonly Account[] {
  if (named.length === 0) return configured
  const names = configured.map((account) => account.name)
  for (const name of named) {
    if (!names.includes(name)) throw unknownAccount(name, names)
  }
  return configured.filter((account) => named.includes(account.name))
}

/** A log that cannot be opened is a pity, not a reason to leave mail where it is. */
export async function openConfiguredLog(
  configuration: Configuration,
  options: CommonOptions,
  { cwd, env, output }: Surroundings,
): Promise<Log> {
  const file = options.logFile === null ? configuration.log.file : resolvePath(options.logFile, cwd, env)
  if (file === null) {
    if (options.logLevel !== null && !options.quiet) {
      output.problem('--log-level has no effect: there is no log: add --log-file FILE')
    }
    return silentLog
  }
  try {
    return await openLog(file, options.logLevel ?? configuration.log.level)
  } catch (error) {
    output.problem(`cannot open the log ${file} (${errnoOf(error) ?? String(error)}): going on without it`)
    return silentLog
  }
}
