// From words to a migration, before anything is changed: accounts and destinations by name or by URL, the passwords of
// URLs, the ledger. An account of the configuration keeps its ledger; a mailbox given as a URL has its own.
import { stdin } from 'node:process'
import { provesDelivery } from '../../../config/destinations/destinations.ts'
import { isLoopback } from '../../../config/values/host.ts'
import { nearest } from '../../../config/values/nearest.ts'
import { resolvePath, usualStatePath } from '../../../config/paths.ts'
import { namedState } from '../../../config/state/place.ts'
import type { Account, Configuration, DestinationConfig } from '../../../config/schema.ts'
import {
  accountFromUrl,
  type Beside,
  destinationFromUrl,
  isUrl,
  migrationConfiguration,
  signsInAt,
} from '../../../config/from-urls.ts'
import { display } from '../../../display.ts'
import type { MigrateInvocation, UrlSecrets } from './options.ts'
import type { Chosen } from './unfinished.ts'
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
type Plan = Pick<Migration, 'configuration' | 'accounts'>

/** `chosen`: the unfinished migration that goes on; null: it may be a new one. Rejects with ERR_CONFIG, ERR_USAGE, ERR_LEDGER, or
 *  ERR_ABORTED when no password was given; then nothing is left open. */
export async function openMigration(
  invocation: MigrateInvocation,
  surroundings: Surroundings,
  chosen: Pick<Chosen, 'account' | 'ledger'> | null = null,
): Promise<Migration> {
  const { pair } = invocation
  const typed = pair !== null && isUrl(pair.from)
  const found = typed ? await fromUrl(pair, invocation, surroundings) : await fromAccounts(invocation, surroundings)
  const plan = chosen === null ? found : narrowed(found, chosen)
  if (invocation.delete) requireProof(plan)
  warn(plan, invocation, surroundings)
  return { ...plan, ownLedger: typed, ...(await openRecords(plan.configuration, invocation, surroundings)) }
}

function narrowed({ configuration, accounts }: Plan, { account, ledger }: Pick<Chosen, 'account' | 'ledger'>): Plan {
  return {
    configuration: { ...configuration, ...ledger },
    accounts: selected({ accounts, disabled: [] }, [account]),
  }
}

async function fromAccounts(invocation: MigrateInvocation, surroundings: Surroundings): Promise<Plan> {
  const configuration = await readConfiguration(invocation, surroundings)
  const { pair } = invocation
  if (pair === null) return { configuration, accounts: configuration.accounts }
  const [account] = selected(configuration, [pair.from])
  if (account === undefined) throw usageError(`no account is called "${pair.from}"`)
  const destination = await destinationOf(pair.to, configuration, invocation, surroundings)
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
  const { source } = invocation
  // Faulty URLs are refused before a person types a password for one.
  const { host, user } = accountFromUrl(pair.from, { password: { env: 'NONE' }, ca: null }, resolve)
  if (usual?.destinations.has(pair.to) !== true && isUrl(pair.to)) signsInAt(pair.to)
  const account = accountFromUrl(pair.from, await besideOf(source, { user, host }, '', surroundings), resolve)
  const destination = await destinationOf(pair.to, usual, invocation, surroundings)
  const named = invocation.state === null ? null : namedState(invocation.state, cwd, env).statePath
  const configuration = migrationConfiguration(account, destination, {
    usual,
    statePath: named ?? usual?.statePath ?? usualStatePath(env),
  })
  return { configuration, accounts: configuration.accounts }
}

async function destinationOf(
  to: string,
  usual: Configuration | null,
  { destination: secrets }: MigrateInvocation,
  surroundings: Surroundings,
): Promise<DestinationConfig> {
  const { cwd, env } = surroundings
  const configured = usual?.destinations.get(to)
  if (configured !== undefined) return configured
  if (isUrl(to)) {
    const whose = signsInAt(to)
    if (whose === null && secrets.password !== null)
      throw usageError('--to-password-env, --to-password-file and --to-password-command need a URL that has a user')
    const beside =
      whose === null ? { password: null, ca: secrets.ca } : await besideOf(secrets, whose, 'to-', surroundings)
    return destinationFromUrl(to, beside, (text) => resolvePath(text, cwd, env))
  }
  const names = [...(usual?.destinations.keys() ?? [])]
  const near = nearest(to, names)
  const hint = /^[~./]/.test(to) ? `for a Maildir write maildir:${to}` : `the destinations are ${names.join(', ')}`
  throw usageError(`no destination is called "${to}": ${near === null ? hint : `did you mean "${near}"?`}`)
}

/** Asks for the password where no option says where it is. */
async function besideOf(
  { password, ca }: UrlSecrets,
  { user, host }: { readonly user: string; readonly host: string },
  before: '' | 'to-',
  surroundings: Surroundings,
): Promise<Beside> {
  return { password: password ?? (await typedPassword(`Password of ${user} at ${host}`, before, surroundings)), ca }
}

async function typedPassword(question: string, before: string, { output, terminal }: Surroundings): Promise<string> {
  if (!stdin.isTTY) {
    const options = `--${before}password-env NAME, --${before}password-file FILE or --${before}password-command CMD`
    throw usageError(
      `not a terminal, so nobody can be asked for the ${question.charAt(0).toLowerCase()}${question.slice(1)}: use ${options}`,
    )
  }
  const show = (text: string): void => void (terminal === null ? output.say(text.trim()) : terminal.write(text))
  return await askPassword(display(question), { input: stdin, show })
}

/** DESIGN 3, `--delete`: what cannot be read again, and has given no id, is no proof. Throws ERR_USAGE. */
function requireProof({ configuration, accounts }: Plan): void {
  const namesOf = ({ deliver, route }: Account): readonly string[] => [
    ...deliver,
    ...route.flatMap((rule) => rule.deliver),
  ]
  for (const name of new Set(accounts.flatMap(namesOf))) {
    if (!provesDelivery(configuration.destinations.get(name)))
      throw usageError(
        `--delete needs a destination that shows what it has (a Maildir; an mbox or an IMAP folder with trace; Gmail), and ${display(name)} cannot`,
      )
  }
}

function warn({ configuration, accounts }: Plan, invocation: MigrateInvocation, surroundings: Surroundings): void {
  const open = accounts.filter(({ tls, host }) => tls === 'none' && !isLoopback(host))
  const own = configuration.file === '' ? open.map(({ host }) => `everything comes from ${host} unencrypted`) : []
  tellWarnings([...configuration.warnings, ...own], invocation, surroundings)
}
