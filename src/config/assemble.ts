// From the written file to the effective configuration: defaults merged, names looked up, everything checked together. Pure.
// The file and its line numbers are load.ts; what each key may hold is schema.ts.
// The one rule: every part is looked at even when another is wrong, so that one report names all problems.
import * as z from 'zod'
import { display } from '../display.ts'
import type { DefinedDestination } from '../deliver/own/definition.ts'
import { SIGN_IN_PROVIDERS } from '../sign-in-providers.ts'
import { mechanismNamed } from '../pop3/sign-in/mechanisms.ts'
import { providerAt } from '../providers.ts'
import { kindOf } from './destinations/destinations.ts'
import { isLoopback } from './values/host.ts'
import { conflictProblems, foundText, issueProblems } from './problem.ts'
import { recipient as recipientSchema, type RecipientRule } from './recipient.ts'
import { deliver } from './route.ts'
import { holdsPassword } from './values/proxy.ts'
import { account, accountConflicts, accountDefaults, top } from './schema.ts'
import { NamedDestinations } from './named-destinations.ts'
import { oauthClient, oauthConflicts, type OAuthClient } from './oauth/client.ts'
import { signedInBy } from './oauth/sign-ins.ts'
import { atOnce } from './turns.ts'
import { nearest } from './values/nearest.ts'
import { SECRET_KEYS, WITHOUT_COMPILING } from './values/values.ts'
import { tellingIn } from './daemon/telling.ts'
import { unreplaced } from './values/unreplaced.ts'
import { FIRST_OF, isWritten } from './values/written.ts'
import type { Path, Problem } from './problem.ts'
import type { Account, Configuration } from './schema.ts'
import type { ResolvePath } from './values/values.ts'
import type { Written } from './values/written.ts'

export interface Assembled {
  /** Null when there are problems. `statePath` is null when none was written. */
  readonly configuration: (Omit<Configuration, 'file' | 'statePath'> & { readonly statePath: string | null }) | null
  readonly problems: readonly Problem[]
}

/** Names of commands, of later versions too: `popfetch NAME` must always mean the account. */
const COMMANDS = new Set(
  'auth check migrate status verify state shell log stop reload wake pause resume import init config completion uninstall poll help version'.split(
    ' ',
  ),
)

/** `root`: the file's contents as plain values. */
export function assemble(root: unknown, resolve: ResolvePath): Assembled {
  return atOnce(assembling(root, resolve))
}

/** As assemble, with a pause after each account and destination. `own`: destinations that no file can name;
 *  whoever gives them may do without accounts, to begin with. */
export function* assembling(
  root: unknown,
  resolve: ResolvePath,
  own: ReadonlyMap<string, DefinedDestination> | null = null,
): Generator<void, Assembled> {
  const problems: Problem[] = []
  const written = isWritten(root) ? withoutOwnKeys(root) : root
  const parsed = topKeys(resolve).safeParse(isWritten(written) ? withoutParts(written) : written, WITHOUT_COMPILING)
  if (!parsed.success) problems.push(...issueProblems(parsed.error.issues, written, []))

  yield
  problems.push(...(yield* unreplaced(written)))
  const { accounts: writtenAccounts, destinations: writtenDestinations, defaults } = isWritten(written) ? written : {}
  const destinations = new NamedDestinations(resolve)
  for (const [name, value] of entries(writtenDestinations)) {
    destinations.configure(name, value, problems)
    yield
  }
  for (const [name, defined] of own ?? []) destinations.add(name, defined, problems)

  const oauth = clients(isWritten(written) ? written['oauth'] : undefined, resolve, problems)
  if (isWritten(defaults)) {
    const checked = accountDefaults(resolve).safeParse(defaults, WITHOUT_COMPILING)
    if (!checked.success) problems.push(...issueProblems(checked.error.issues, defaults, ['defaults']))
  }
  const schemas = { account: account(resolve), deliver: deliver(resolve) }
  const accounts: Account[] = []
  for (const [name, value] of entries(writtenAccounts)) {
    const own = isWritten(value) ? value : {}
    const inherited = isWritten(defaults) ? defaults : {}
    const found: Problem[] = []
    const merged = isWritten(value) ? { ...withoutOther(inherited, own), ...own } : value
    const result = oneAccount(name, merged, { schemas, destinations, problems: found })
    for (const problem of found) problems.push(atItsOrigin(problem, own, inherited))
    if (result !== null) accounts.push(result)
    yield
  }
  if (own === null && isWritten(writtenAccounts) && Object.keys(writtenAccounts).length === 0) {
    problems.push({ path: ['accounts'], at: 'value', found: 'no account', expected: 'at least one' })
  }
  yield
  problems.push(...unknownMail(isWritten(written) ? written['notify'] : undefined, destinations.byName))
  problems.push(...unknownClients(accounts, destinations.byName, isWritten(written) ? written['oauth'] : undefined))
  yield
  if (!parsed.success || problems.length > 0) return { configuration: null, problems: withoutRepetition(problems) }

  const { state, concurrency, perHost, daemon, notify, log } = parsed.data
  const warnings = yield* warningsOf(accounts, destinations)
  return {
    configuration: {
      accounts,
      destinations: destinations.byName,
      oauth,
      statePath: state.path,
      backup: state.backup,
      headers: state.headers,
      keepDeparted: state.keepDeparted.ms,
      concurrency,
      perHost,
      daemon,
      notify,
      log,
      telling: tellingIn(written),
      warnings,
    },
    problems,
  }
}

/** The path of the first secret that is written out; null: there is none. Wrong parts count, and so do the user's own keys. */
export function* findWrittenSecret(value: unknown, path: Path = []): Generator<void, Path | null> {
  if (!isWritten(value)) return null
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, key]
    if (SECRET_KEYS.has(key) && (typeof inner === 'string' || typeof inner === 'number')) return here
    if (key === 'proxy' && typeof inner === 'string' && holdsPassword(inner)) return here
    const items = Array.isArray(inner) ? inner.entries() : [[null, inner] as const]
    for (const [index, item] of items) {
      const deeper = yield* findWrittenSecret(item, index === null ? here : [...here, index])
      if (deeper) return deeper
    }
    yield
  }
  return null
}

/** Accounts, destinations and defaults may be anything here: each of them is parsed on its own. */
function topKeys(resolve: ResolvePath) {
  const defaults = z.record(z.string(), z.unknown(), { error: 'a mapping of account keys' }).optional()
  return top(resolve, { account: z.unknown(), destination: z.unknown(), defaults, oauth: z.unknown() })
}

/** Accounts and destinations are only looked at as a whole: to go through ten thousand of them would take a while. */
function withoutParts(root: Written): Written {
  const parts = ['accounts', 'destinations'].filter((key) => isWritten(root[key]))
  return { ...root, ...Object.fromEntries(parts.map((key) => [key, {}])) }
}

function withoutOwnKeys(root: Written): Written {
  return Object.fromEntries(Object.entries(root).filter(([key]) => !key.startsWith('x-')))
}

function entries(value: unknown): readonly (readonly [string, unknown])[] {
  return isWritten(value) ? Object.entries(value) : []
}

/** The clients by name; a wrong one is left out. */
function clients(written: unknown, resolve: ResolvePath, problems: Problem[]): ReadonlyMap<string, OAuthClient> {
  const found = new Map<string, OAuthClient>()
  for (const [name, keys] of entries(written)) {
    const path = ['oauth', name]
    if (!/^[A-Za-z0-9._-]{1,100}$/.test(name)) {
      const expected = 'a name of letters, digits, ".", "_" and "-"'
      problems.push({ path, at: 'key', found: `the name ${foundText(name, [])}`, expected })
    }
    const parsed = oauthClient(resolve).safeParse(keys, WITHOUT_COMPILING)
    if (parsed.success) found.set(name, parsed.data)
    else problems.push(...issueProblems(parsed.error.issues, keys, path))
    if (isWritten(keys)) problems.push(...conflictProblems(oauthConflicts(keys), keys, path))
  }
  return found
}

/** Names of destinations to which notices are to go, and that are not there. */
function unknownMail(written: unknown, destinations: Configuration['destinations']): readonly Problem[] {
  if (!Array.isArray(written)) return []
  return written.flatMap((entry: unknown, at): Problem[] => {
    const name = isWritten(entry) ? entry['mail'] : undefined
    if (typeof name !== 'string' || destinations.has(name)) return []
    const near = nearest(name, [...destinations.keys()])
    const expected = near === null ? 'the name of a destination' : `a known destination: did you mean ${near}?`
    return [{ path: ['notify', at, 'mail'], at: 'value', found: foundText(name, []), expected }]
  })
}

/** Names of clients that are nowhere under `oauth`, and uses for which a provider gives no token. */
function unknownClients(
  accounts: readonly Account[],
  destinations: Configuration['destinations'],
  written: unknown,
): readonly Problem[] {
  const names = entries(written).map(([name]) => name)
  return signedInBy({ accounts, destinations }).flatMap(({ kind, name, client, use }): Problem[] => {
    const path = [`${kind}s`, name, 'token']
    if (!names.includes(client)) {
      const near = nearest(client, names)
      const among = names.length === 0 ? 'a client under oauth' : `one of ${names.join(', ')}`
      const expected = near === null ? among : `a known client: did you mean ${near}?`
      return [{ path, at: 'value', found: `the client ${foundText(client, [])}`, expected }]
    }
    const keys = isWritten(written) && isWritten(written[client]) ? written[client] : {}
    const known = typeof keys['provider'] === 'string' ? SIGN_IN_PROVIDERS[keys['provider']] : undefined
    // Who names scopes knows more of the provider than we do.
    if (known === undefined || known.scopes[use].length > 0 || keys['scopes'] !== undefined) return []
    return [
      {
        path,
        at: 'value',
        found: `the client ${client}`,
        expected: `another one: ${known.name} gives no tokens for ${use}`,
      },
    ]
  })
}

interface AccountContext {
  readonly schemas: { readonly account: ReturnType<typeof account>; readonly deliver: ReturnType<typeof deliver> }
  readonly destinations: NamedDestinations
  readonly problems: Problem[]
}

function oneAccount(
  name: string,
  merged: unknown,
  { schemas, destinations, problems }: AccountContext,
): Account | null {
  const path = ['accounts', name]
  const fault = nameFault(name)
  if (fault !== null) problems.push({ path, at: 'key', ...fault })
  const parsed = schemas.account.safeParse(merged, WITHOUT_COMPILING)
  if (!parsed.success) problems.push(...issueProblems(parsed.error.issues, merged, path))
  if (!isWritten(merged)) return null

  problems.push(...conflictProblems(accountConflicts(merged), merged, path))
  const recipient = recipientOf(merged['recipient'])
  const known = { account: fault === null && recipient !== undefined ? { name, recipient } : null, problems }
  // Parsed on its own: an unknown destination is reported even if another key of the account is wrong.
  const lookUp = (written: unknown, at: Path): readonly string[] => {
    const wanted = schemas.deliver.safeParse(written, WITHOUT_COMPILING)
    return wanted.success ? destinations.findAll(wanted.data, written, { path: [...at, 'deliver'], ...known }) : []
  }
  const names = lookUp(merged['deliver'], path)
  const rules = Array.isArray(merged['route']) ? merged['route'] : []
  const ruled = rules.map((rule, index) =>
    lookUp(isWritten(rule) ? rule['deliver'] : undefined, [...path, 'route', index]),
  )
  if (!parsed.success) return null
  const route = parsed.data.route.map(({ when }, index) => ({ when, deliver: ruled[index] ?? [] }))
  return { ...parsed.data, name, deliver: names, route }
}

/** Undefined: it is wrong, which was reported. */
function recipientOf(written: unknown): RecipientRule | null | undefined {
  return written === undefined ? null : recipientSchema.safeParse(written, WITHOUT_COMPILING).data
}

/** What is wrong with the name of an account; null: nothing. */
export function nameFault(name: string): { readonly found: string; readonly expected: string } | null {
  if (COMMANDS.has(name))
    return { found: `the name ${name}`, expected: 'another one: this is the name of a popfetch command' }
  // In a path, {account} as `.` or `..` would be another directory. On a command line, `-x` would be an option.
  if (/^(?!\.\.?$)[A-Za-z0-9._][A-Za-z0-9._-]{0,99}$/.test(name)) return null
  const found = `the name ${foundText(name, [])}`
  return { found, expected: 'a name of letters, digits, ".", "_" and "-", which does not begin with "-"' }
}

/** One secret is enough: an account's own token takes the place of a password of `defaults`, and the other way round. */
function withoutOther({ password, token, ...rest }: Written, own: Written): Written {
  return {
    ...rest,
    ...(password === undefined || own['token'] !== undefined ? {} : { password }),
    ...(token === undefined || own['password'] !== undefined ? {} : { token }),
  }
}

/** A problem of a key that the account has from `defaults` is reported there, and once. */
function atItsOrigin(problem: Problem, own: Written, inherited: Written): Problem {
  const [, , key, ...rest] = problem.path
  const foreign = typeof key === 'string' && !Object.hasOwn(own, key) && Object.hasOwn(inherited, key)
  return foreign ? { ...problem, path: ['defaults', key, ...rest] } : problem
}

function withoutRepetition(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()]
}

function* warningsOf(
  accounts: readonly Account[],
  destinations: NamedDestinations,
): Generator<void, readonly string[]> {
  const open = (what: string, host: string): string =>
    `${what}: everything is sent to ${host} unencrypted (tls: none): use starttls or implicit if the server supports it`
  const warnings: string[] = []
  for (const { name, tls, host, port, auth, via } of accounts) {
    if (via === null) warnings.push(...portDoubts(`account ${name}`, 'pop3', port, tls))
    // What a program does on the way is its own affair.
    if (tls !== 'none' || isLoopback(host) || via !== null) continue
    const isBroken = mechanismNamed(auth)?.withoutTls === 'computes the secret'
    warnings.push(
      open(`account ${name}`, host) + (isBroken ? `; ${auth} does not hide the password from eavesdroppers` : ''),
    )
    yield
  }
  for (const config of destinations.byName.values()) {
    const host = config.type === FIRST_OF ? null : kindOf(config).unencryptedTo(config)
    if (config.type === 'smtp' || config.type === 'imap')
      warnings.push(...portDoubts(`destination ${config.name}`, config.type, config.port, config.tls))
    if (host !== null) warnings.push(open(`destination ${config.name}`, host))
    yield
  }
  warnings.push(...(yield* sharedMailboxes(accounts)))
  return warnings
}

/** What usually listens on a port, and how TLS begins there. */
const USUAL: Readonly<Record<number, { readonly protocol: string; readonly tls: readonly string[] }>> = {
  110: { protocol: 'pop3', tls: ['starttls', 'none'] },
  995: { protocol: 'pop3', tls: ['implicit'] },
  143: { protocol: 'imap', tls: ['starttls', 'none'] },
  993: { protocol: 'imap', tls: ['implicit'] },
  25: { protocol: 'smtp', tls: ['starttls', 'none'] },
  465: { protocol: 'smtp', tls: ['implicit'] },
  587: { protocol: 'smtp', tls: ['starttls', 'none'] },
}

function portDoubts(what: string, protocol: string, port: number | null, tls: string): readonly string[] {
  const usual = port === null ? undefined : USUAL[port]
  if (usual === undefined) return []
  if (usual.protocol !== protocol)
    return [`${what}: port ${port} is usually for ${usual.protocol.toUpperCase()}, not for ${protocol.toUpperCase()}`]
  return usual.tls.includes(tls) ? [] : [`${what}: port ${port} usually goes with tls: ${usual.tls[0]}, not ${tls}`]
}

/** The ports of POP3: both lead to one mailbox. */
const USUAL_PORTS: ReadonlySet<number> = new Set([110, 995])

/** Where a mailbox is, as far as names tell. A provider's servers are one place, and so are those of one domain, whatever their
 *  host names (N047). */
function siteOf({ host, port, user }: Account): string {
  const where = USUAL_PORTS.has(port) ? '' : ` port ${port}`
  const provider = providerAt(host, '')
  if (provider !== null) return `${provider.name}${where}`
  if (isLoopback(host)) return `loopback port ${port}`
  // Without the domain in the user's name two hosts of one hoster may have an "alice" each.
  const isWhole = user.includes('@') && !/^[\d.]+$|:/.test(host)
  const labels = host.toLowerCase().split('.')
  const isShort = (labels.at(-2) ?? '').length <= 3 && labels.length > 2
  return `${isWhole ? labels.slice(isShort ? -3 : -2).join('.') : host}${where}`
}

function mailboxText(accounts: readonly Account[]): string {
  const [first] = accounts
  const hosts = [...new Set(accounts.map(({ host }) => host))].join(' and ')
  return `${first?.user} at ${hosts}, port ${[...new Set(accounts.map(({ port }) => port))].join(' and ')}`
}

/** "a", "a and b", "a, b and c". */
function enumerated(names: readonly string[]): string {
  return names.join(', ').replace(/, ([^,]*)$/, ' and $1')
}

/** Each of these accounts delivers new mail; when one of them deletes a message, the others may miss it (P152, two sessions on
 *  one mailbox). */
function* sharedMailboxes(accounts: readonly Account[]): Generator<void, readonly string[]> {
  const groups = new Map<string, Account[]>()
  for (const account of accounts) {
    const place = JSON.stringify([account.user.toLowerCase(), siteOf(account)])
    const there = groups.get(place)
    if (there === undefined) groups.set(place, [account])
    else there.push(account)
    yield
  }
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined || others.length === 0
      ? []
      : [
          `accounts ${enumerated([first, ...others].map(({ name }) => name))} poll the same mailbox (${display(mailboxText([first, ...others]))}): each delivers its own copy, and mail deleted by one may be missed by another. Use one account with several destinations`,
        ],
  )
}
