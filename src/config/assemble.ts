// From what is written to the effective configuration: defaults merged, names looked up, everything checked together. Pure.
// The files and their line numbers are load.ts and sources/; what each key may hold is schema.ts. One account is accounts/reader.ts.
// The one rule: every part is looked at even when another is wrong, so that one report names all problems.
import * as z from 'zod'
import type { DefinedDestination } from '../deliver/own/definition.ts'
import { SIGN_IN_PROVIDERS } from '../sign-in-providers.ts'
import { intervalDoubts } from './accounts/intervals.ts'
import { AccountReader, problemTexts } from './accounts/reader.ts'
import { warningsOf } from './accounts/warnings.ts'
import { conflictProblems, foundText, issueProblems, unknownKey, wrong } from './problem.ts'
import { holdsPassword } from './values/proxy.ts'
import { ACCOUNTS, top } from './schema.ts'
import { NamedDestinations, twiceNamed } from './named-destinations.ts'
import { missingKey, oauthClient, oauthConflicts, type OAuthClient } from './oauth/client.ts'
import { signedInBy } from './oauth/signed-in.ts'
import type { Environment } from './paths.ts'
import { type Filled, filled, withoutValues } from './sources/environment.ts'
import { sourceOf, type Source } from './sources/source.ts'
import { atOnce } from './turns.ts'
import { nearest } from './values/nearest.ts'
import { SECRET_KEYS, WITHOUT_COMPILING } from './values/values.ts'
import { tellingIn } from './daemon/telling.ts'
import { NOT_REPLACED, unreplaced } from './values/unreplaced.ts'
import { ASKED, isWritten, type Written } from './values/written.ts'
import type { Path, Problem } from './problem.ts'
import type { Account, Configuration } from './schema.ts'
import type { ResolvePath } from './values/values.ts'

export interface Assembled {
  /** Null when there are problems. `statePath` is null when none was written, or a database. */
  readonly configuration:
    | (Omit<Configuration, 'file' | 'files' | 'statePath'> & { readonly statePath: string | null })
    | null
  readonly problems: readonly Problem[]
}

/** A problem, and in which source it is. */
export interface Placed extends Problem {
  readonly source: Source
}

/** `root`: the file's contents as plain values. */
export function assemble(root: unknown, resolve: ResolvePath): Assembled {
  const { configuration, problems } = atOnce(assembling(sourceOf(root, resolve)))
  return { configuration, problems: problems.map(({ path, at, found, expected }) => ({ path, at, found, expected })) }
}

export interface AssemblingOptions {
  /** What `{ env: NAME }` is filled in from. */
  readonly env?: Environment
  /** Other files, and what a program printed. */
  readonly others?: readonly Source[]
  /** Destinations that no file can name; whoever gives them may do without accounts, to begin with. */
  readonly own?: ReadonlyMap<string, DefinedDestination> | null
}

type AllAssembled = Pick<Assembled, 'configuration'> & { readonly problems: readonly Placed[] }

/** As assemble, for all sources of a configuration, with a pause after each account and destination. `main`: the configuration itself. */
export function* assembling(
  main: Source,
  { env = {}, others = [], own = null }: AssemblingOptions = {},
): Generator<void, AllAssembled> {
  const problems: Placed[] = []
  const report = (source: Source, found: readonly Problem[]): void => {
    for (const problem of found) problems.push({ ...problem, source })
  }
  const sources = [main, ...others]
  for (const source of sources)
    report(source, yield* unreplaced(isWritten(source.root) ? withoutOwnKeys(source.root) : source.root))
  const { value: written, variables } = topLevel(main, env, report)
  const parsed = topKeys(main.resolve).safeParse(written, WITHOUT_COMPILING)
  if (!parsed.success) report(main, withoutValues(issueProblems(parsed.error.issues, written, []), { variables }))
  for (const source of others) report(source, strangeKeys(source))

  yield
  const destinations = new NamedDestinations(env)
  const oauth: Clients = { clients: new Map(), places: new Map() }
  for (const source of sources) {
    for (const [name, value] of entries(partOf(source, 'destinations'))) {
      const found: Problem[] = []
      destinations.configure(name, value, source, found)
      report(source, found)
      yield
    }
    report(source, clients(source, oauth, env))
  }
  for (const [name, defined] of own ?? []) {
    const found: Problem[] = []
    destinations.add(name, defined, main, found)
    report(main, found)
  }

  const reader = new AccountReader(main, { env, destinations, report })
  const named = new Map<string, Source>()
  const all: Account[] = []
  for (const source of sources) {
    reader.prepare(source)
    for (const [name, value] of entries(partOf(source, 'accounts'))) {
      const before = named.get(name)
      if (before !== undefined) {
        const path = ['accounts', name]
        const twice: Problem = { path, at: 'key', ...twiceNamed(before, path) }
        if (source.leavesOut) all.push(reader.faulty(`${name}_${ASKED}`, problemTexts(source, [twice])))
        else report(source, [twice])
        continue
      }
      named.set(name, source)
      const account = reader.read(name, value, source)
      if (account !== null) all.push(account)
      yield
    }
  }
  const isEmpty = named.size === 0 && own === null && !mayBeEmpty(written)
  if (isEmpty) {
    const found = partOf(main, 'accounts') === undefined ? 'nothing' : 'no account'
    report(main, [
      { path: ['accounts'], at: 'value', found, expected: found === 'nothing' ? ACCOUNTS : 'at least one' },
    ])
  }
  yield
  const sound = all.filter(({ fault }) => fault === null)
  const places: Places = { named, sources, report }
  report(main, unknownMail(isWritten(written) ? written['notify'] : undefined, destinations))
  const wrongClients = unknownClients(sound, destinations.byName, oauth)
  const stopped = new Map<string, readonly string[]>([
    ...placed(wrongClients, places),
    ...placed(wrongNames(sound, named), places),
  ])
  yield
  if (parsed.success && oauth.places.size > 0) report(main, missingKey(parsed.data.state))
  if (!parsed.success || problems.length > 0) return { configuration: null, problems: withoutRepetition(problems) }

  const accounts = all.map((account) => {
    const faults = stopped.get(account.name)
    return faults === undefined ? account : reader.faulty(account.name, faults)
  })
  const { state, concurrency, perHost, daemon, notify, log, include, accountsFrom } = parsed.data
  const polled = accounts.filter(({ enabled }) => enabled)
  const fit = polled.filter(({ fault }) => fault === null)
  const warnings = [
    ...(yield* warningsOf(fit, destinations.byName)),
    ...(yield* intervalDoubts(fit, { concurrency, perHost })),
  ]
  return {
    configuration: {
      accounts: polled,
      disabled: accounts.filter(({ enabled }) => !enabled),
      destinations: destinations.byName,
      oauth: oauth.clients,
      statePath: state.path,
      postgres: state.postgres,
      backup: state.backup,
      headers: state.headers,
      keepDeparted: state.keepDeparted.ms,
      concurrency,
      perHost,
      daemon,
      notify,
      log,
      include,
      accountsFrom,
      trouble: null,
      telling: tellingIn(tellingRoot(sources)),
      warnings,
    },
    problems,
  }
}

/** As it is written, with the destinations of files in the same folder: paths mean the same there. */
function tellingRoot([main, ...others]: readonly Source[]): unknown {
  if (main === undefined || !isWritten(main.root)) return null
  const near = others.filter(({ resolve, leavesOut }) => !leavesOut && resolve === main.resolve)
  const merged = (part: string): Written =>
    Object.fromEntries([...near, main].flatMap((source) => entries(partOf(source, part))))
  return { ...main.root, destinations: merged('destinations'), oauth: merged('oauth') }
}

/** What stands at the top of the configuration itself, variables in place. Its accounts and destinations are left out. */
function topLevel(main: Source, env: Environment, report: Report): Pick<Filled, 'value' | 'variables'> {
  if (!isWritten(main.root)) return { value: main.root, variables: [] }
  const variables: Filled['variables'][number][] = []
  const found: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(withoutParts(withoutOwnKeys(main.root)))) {
    if (PARTS.has(key)) {
      found[key] = value
      continue
    }
    const whole = filled(value, [key], env)
    report(
      main,
      whole.missing.map(({ path, name }) => ({
        path,
        at: 'value',
        found: `{ env: ${name} }, a variable that is not set`,
        expected: `a value: export ${name}`,
      })),
    )
    found[key] = whole.value
    variables.push(...whole.variables)
  }
  return { value: found, variables }
}

/** What has its own names below it, which no variable can stand for. */
const PARTS: ReadonlySet<string> = new Set(['accounts', 'destinations', 'oauth', 'defaults'])

/** Keys that only the configuration itself may have. */
function strangeKeys({ root, leavesOut }: Source): readonly Problem[] {
  if (!isWritten(root)) return [{ path: [], at: 'value', found: foundText(root, []), expected: 'a mapping' }]
  const known = leavesOut ? ['accounts', 'destinations'] : [...PARTS]
  const strange = Object.keys(root).filter((key) => !known.includes(key) && !key.startsWith('x-'))
  const parts = known.filter((key) => (root[key] ?? null) !== null && !isWritten(root[key]))
  return [
    ...strange.map((key) => unknownKey([], key, known)),
    ...parts.map((key) => wrong([key], root[key], key === 'accounts' ? ACCOUNTS : 'a mapping')),
  ]
}

function partOf({ root }: Source, part: string): unknown {
  return isWritten(root) ? root[part] : undefined
}

/** Accounts may come from elsewhere. */
function mayBeEmpty(written: unknown): boolean {
  return isWritten(written) && (written['include'] !== undefined || written['accountsFrom'] !== undefined)
}

interface Places {
  readonly named: ReadonlyMap<string, Source>
  readonly sources: readonly Source[]
  readonly report: Report
}

type Report = (source: Source, found: readonly Problem[]) => void

/** Reports problems of accounts and destinations where these stand. What a program printed is not reported: gives why which
 *  accounts cannot be polled. */
function placed(
  problems: readonly Problem[],
  { named, sources, report }: Places,
): readonly (readonly [string, readonly string[]])[] {
  return problems.flatMap((problem) => {
    const [part = '', name = ''] = problem.path.map(String)
    const holds = sources.find((source) => {
      const inner = partOf(source, part)
      return isWritten(inner) && Object.hasOwn(inner, name)
    })
    const source = (part === 'accounts' ? named.get(name) : holds) ?? sources[0]
    if (source === undefined) return []
    if (source.leavesOut && part === 'accounts') return [[name, problemTexts(source, [problem])] as const]
    report(source, [problem])
    return []
  })
}

/** Former names that are still in use, or that two accounts had. */
function wrongNames(accounts: readonly Account[], named: ReadonlyMap<string, Source>): readonly Problem[] {
  const claimed = new Map<string, string>()
  return accounts.flatMap(({ name, formerly }) =>
    formerly.flatMap((former): Problem[] => {
      const path = ['accounts', name, 'formerly']
      const other = claimed.get(former)
      claimed.set(former, name)
      const found = `the name ${former}`
      if (named.has(former)) return [{ path, at: 'value', found, expected: 'a name that no account has any more' }]
      return other === undefined ? [] : [{ path, at: 'value', found, expected: `another one: ${other} had it` }]
    }),
  )
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

interface Clients {
  /** By name; a wrong one is left out. */
  readonly clients: Map<string, OAuthClient>
  /** Of all of them, as written. */
  readonly places: Map<string, { readonly source: Source; readonly written: unknown }>
}

function clients(source: Source, { clients: found, places }: Clients, env: Environment): readonly Problem[] {
  const problems: Problem[] = []
  for (const [name, written] of entries(source.leavesOut ? undefined : partOf(source, 'oauth'))) {
    const path = ['oauth', name]
    if (!/^[A-Za-z0-9._-]{1,100}$/.test(name)) {
      const expected = 'a name of letters, digits, ".", "_" and "-"'
      problems.push({ path, at: 'key', found: `the name ${foundText(name, [])}`, expected })
    }
    const before = places.get(name)
    if (before !== undefined) problems.push({ path, at: 'key', ...twiceNamed(before.source, path) })
    places.set(name, { source, written })
    const whole = filled(written, path, env)
    for (const { path: at, name: variable } of whole.missing)
      problems.push({
        path: at,
        at: 'value',
        found: `{ env: ${variable} }, a variable that is not set`,
        expected: `a value: export ${variable}`,
      })
    if (whole.missing.length > 0) continue
    const parsed = oauthClient(source.resolve).safeParse(whole.value, WITHOUT_COMPILING)
    if (parsed.success) found.set(name, parsed.data)
    else problems.push(...withoutValues(issueProblems(parsed.error.issues, whole.value, path), whole))
    if (isWritten(whole.value)) problems.push(...conflictProblems(oauthConflicts(whole.value), whole.value, path))
  }
  return problems
}

/** Names of destinations to which notices are to go, and that are not there. */
function unknownMail(written: unknown, { byName, faulty }: NamedDestinations): readonly Problem[] {
  if (!Array.isArray(written)) return []
  return written.flatMap((entry: unknown, at): Problem[] => {
    const name = isWritten(entry) ? entry['mail'] : undefined
    if (typeof name !== 'string' || byName.has(name) || faulty.has(name)) return []
    const near = nearest(name, [...byName.keys()])
    const expected = near === null ? 'the name of a destination' : `a known destination: did you mean ${near}?`
    return [{ path: ['notify', at, 'mail'], at: 'value', found: foundText(name, []), expected }]
  })
}

/** Names of clients that are nowhere under `oauth`, and uses for which a provider gives no token. */
function unknownClients(
  accounts: readonly Account[],
  destinations: Configuration['destinations'],
  { places }: Clients,
): readonly Problem[] {
  const names = [...places.keys()]
  return signedInBy({ accounts, destinations }).flatMap(({ kind, name, client, use }): Problem[] => {
    const path = [`${kind}s`, name, 'token']
    if (!names.includes(client)) {
      const near = nearest(client, names)
      const among = names.length === 0 ? 'a client under oauth' : `one of ${names.join(', ')}`
      const expected = near === null ? among : `a known client: did you mean ${near}?`
      return [{ path, at: 'value', found: `the client ${foundText(client, [])}`, expected }]
    }
    const written = places.get(client)?.written
    const keys = isWritten(written) ? written : {}
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

/** What is not replaced is said once, not also that it is no host. */
function withoutRepetition(problems: readonly Placed[]): readonly Placed[] {
  const numbers = new Map<Source, number>()
  const keyed = problems.map((problem) => {
    const { source, ...rest } = problem
    const number = numbers.get(source) ?? numbers.size
    numbers.set(source, number)
    return { problem, key: JSON.stringify([number, rest]), place: JSON.stringify([number, problem.path]) }
  })
  const raw = new Set(keyed.flatMap(({ problem, place }) => (problem.found === NOT_REPLACED ? [place] : [])))
  const left = keyed.filter(({ problem, place }) => problem.found === NOT_REPLACED || !raw.has(place))
  return [...new Map(left.map(({ key, problem }) => [key, problem])).values()]
}
