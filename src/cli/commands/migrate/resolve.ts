// From words to a migration, before anything is changed: accounts and destinations by name or by URL, the password of a
// URL, the ledger. An account of the configuration keeps its ledger; a mailbox given as a URL has its own.
import { stdin } from 'node:process'
import { isLoopback } from '../../../config/values/host.ts'
import { nearest } from '../../../config/values/nearest.ts'
import { resolvePath, usualStatePath } from '../../../config/paths.ts'
import type { Configuration, DestinationConfig } from '../../../config/schema.ts'
import { isUrl, accountFromUrl, migrationConfiguration, destinationFromUrl } from '../../../config/from-urls.ts'
import { display } from '../../../display.ts'
import type { MigrateInvocation } from './options.ts'
import { askPassword } from '../../terminal/dialogue.ts'
import { openRecords, readConfiguration, selected, tellWarnings, type OpenedRun } from '../../open/configured.ts'
import type { Surroundings } from '../../surroundings.ts'
import { usageError } from '../../command-errors.ts'

/** Disposing closes ledger and log. */
export interface Migration extends OpenedRun {
  /** The ledger is that of this migration alone, not that of the configuration. */
  readonly ownLedger: boolean
}

type Pair = NonNullable<MigrateInvocation['pair']>

/** Rejects with ERR_CONFIG, ERR_USAGE, ERR_LEDGER, or ERR_ABORTED when no password was given; then nothing is left open. */
export async function openMigration(invocation: MigrateInvocation, surroundings: Surroundings): Promise<Migration> {
  const { pair } = invocation
  const typed = pair !== null && isUrl(pair.from)
  const plan = typed ? await fromUrl(pair, invocation, surroundings) : await fromAccounts(invocation, surroundings)
  warn(plan, invocation, surroundings)
  return { ...plan, ownLedger: typed, ...(await openRecords(plan.configuration, invocation, surroundings)) }
}

type Plan = Pick<Migration, 'configuration' | 'accounts'>

async function fromAccounts(invocation: MigrateInvocation, surroundings: Surroundings): Promise<Plan> {
  const configuration = await readConfiguration(invocation, surroundings)
  const { pair } = invocation
  if (pair === null) return { configuration, accounts: configuration.accounts }
  const [account] = selected(configuration.accounts, [pair.from])
  if (account === undefined) throw usageError(`no account is called "${pair.from}"`)
  const destination = destinationOf(pair.to, configuration, surroundings)
  const destinations = new Map([...configuration.destinations, [destination.name, destination]])
  return {
    configuration: { ...configuration, destinations },
    accounts: [{ ...account, deliver: [destination.name], route: [] }],
  }
}

/** Reads the configuration only when the destination is a name in it, or when `--config` names it. */
async function fromUrl(pair: Pair, invocation: MigrateInvocation, surroundings: Surroundings): Promise<Plan> {
  const { env, cwd } = surroundings
  const resolve = (text: string): string => resolvePath(text, cwd, env)
  const needed = !isUrl(pair.to) || invocation.config !== null
  const usual = needed ? await readConfiguration(invocation, surroundings) : null
  const destination = destinationOf(pair.to, usual, surroundings)
  // A faulty URL is refused before a person types a password for it.
  const { host, user } = accountFromUrl(pair.from, { env: 'NONE' }, resolve)
  const password = invocation.password ?? (await typedPassword(`Password of ${user} at ${host}`, surroundings))
  const named = invocation.state === null ? null : resolve(invocation.state)
  const configuration = migrationConfiguration(accountFromUrl(pair.from, password, resolve), destination, {
    usual,
    statePath: named ?? usual?.statePath ?? usualStatePath(env),
  })
  return { configuration, accounts: configuration.accounts }
}

function destinationOf(to: string, usual: Configuration | null, { cwd, env }: Surroundings): DestinationConfig {
  const configured = usual?.destinations.get(to)
  if (configured !== undefined) return configured
  if (isUrl(to)) return destinationFromUrl(to, (text) => resolvePath(text, cwd, env))
  const names = [...(usual?.destinations.keys() ?? [])]
  const near = nearest(to, names)
  const hint = /^[~./]/.test(to) ? `for a Maildir write maildir:${to}` : `the destinations are ${names.join(', ')}`
  throw usageError(`no destination is called "${to}": ${near === null ? hint : `did you mean "${near}"?`}`)
}

async function typedPassword(question: string, { output, terminal }: Surroundings): Promise<string> {
  if (!stdin.isTTY) {
    const options = '--password-env NAME, --password-file FILE or --password-command CMD'
    throw usageError(`no terminal to ask for the password: say where it is with ${options}`)
  }
  const show = (text: string): void => void (terminal === null ? output.say(text.trim()) : terminal.write(text))
  return await askPassword(display(question), { input: stdin, show })
}

function warn({ configuration, accounts }: Plan, invocation: MigrateInvocation, surroundings: Surroundings): void {
  const open = accounts.filter(({ tls, host }) => tls === 'none' && !isLoopback(host))
  const own = configuration.file === '' ? open.map(({ host }) => `everything comes from ${host} unencrypted`) : []
  tellWarnings([...configuration.warnings, ...own], invocation, surroundings)
}
