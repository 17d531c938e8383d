// A configuration from two URLs of a command line instead of a file, for a migration: one account and one destination.
// The schema of the file says what is right and what the defaults are.
// The one rule: no password is in a URL, where the list of processes and the history of the shell show it.
import { createHash } from 'node:crypto'
import path from 'node:path'
import { PopfetchError } from '../errors.ts'
import { assemble } from './assemble.ts'
import { stateFolder } from './paths.ts'
import { pathText } from './problem.ts'
import { parseDestinationUrl } from './destinations/destinations.ts'
import { parseSourceUrl } from './destinations/url.ts'
import { inFile } from './state/place.ts'
import type { Account, Configuration, DestinationConfig } from './schema.ts'
import type { ResolvePath } from './values/values.ts'

export { isUrl } from './destinations/url.ts'

/** A password itself, typed without an echo, or the place that has it. */
export type PasswordSource =
  | string
  | { readonly env: string }
  | { readonly file: string }
  | { readonly command: string }

/** The schema wants a destination, even where only the mailbox matters. */
const NOWHERE = 'maildir:/nowhere'

/** What a command line says beside a URL. */
export interface Beside {
  readonly password: PasswordSource | null
  /** The file of the authorities to trust; null: those of the system. */
  readonly ca: string | null
}

/** The mailbox that a URL names; it delivers nowhere yet. Throws ERR_USAGE. */
export function accountFromUrl(url: string, { password, ca }: Beside, resolve: ResolvePath): Account {
  const parsed = parseSourceUrl(url)
  if (parsed.kind === 'wrong') throw usage('FROM', parsed.expected)
  const { user, host } = parsed.written
  const name = `${String(user)}_${String(host)}`.replace(/[^A-Za-z0-9._]/g, '_').slice(0, 100)
  const written = {
    accounts: { [name]: { ...parsed.written, password, ...set({ ca }), deliver: NOWHERE, first: 'all' } },
  }
  const [account] = assembled('FROM', written, resolve).accounts
  if (account === undefined) throw usage('FROM', 'the URL of a mailbox')
  return { ...account, deliver: [] }
}

/** Who signs in at the destination that a URL names; null: nobody does. Throws ERR_USAGE. */
export function signsInAt(url: string): { readonly user: string; readonly host: string } | null {
  const parsed = parseDestinationUrl(url)
  if (parsed.kind === 'wrong') throw usage('TO', parsed.expected)
  const { user, host } = parsed.written
  return typeof user === 'string' ? { user, host: String(host) } : null
}

/** The destination that a URL names. Throws ERR_USAGE. */
export function destinationFromUrl(url: string, { password, ca }: Beside, resolve: ResolvePath): DestinationConfig {
  const parsed = parseDestinationUrl(url)
  if (parsed.kind === 'wrong') throw usage('TO', parsed.expected)
  const deliver = { ...parsed.written, ...set({ password, ca }) }
  const account = { host: 'localhost', user: 'nobody', password: { env: 'NONE' }, deliver }
  const [destination] = assembled('TO', { accounts: { nobody: account } }, resolve).destinations.values()
  if (destination === undefined) throw usage('TO', 'the URL of a destination')
  return destination
}

/** The keys that have a value. */
function set(keys: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== null))
}

/** One account and its destination, with a ledger for just this pair beside the usual one. The same pair has the same ledger. */
export function migrationConfiguration(
  account: Account,
  destination: DestinationConfig,
  { usual, statePath }: { readonly usual: Configuration | null; readonly statePath: string },
): Configuration {
  const pair = [account.host, account.port, account.user, destination.name].join('\0')
  const file = `${createHash('sha256').update(pair).digest('hex').slice(0, 24)}.db`
  const base = usual ?? { ...blank(), file: '', files: [], warnings: [] }
  return {
    ...base,
    accounts: [{ ...account, deliver: [destination.name] }],
    destinations: new Map([...(usual?.destinations ?? []), [destination.name, destination]]),
    ...inFile(path.join(stateFolder({ statePath }), 'migrations', file)),
  }
}

/** The defaults of everything that is beside accounts and destinations. */
function blank() {
  const account = { host: 'localhost', user: 'nobody', password: { env: 'NONE' }, deliver: NOWHERE }
  return assembled('FROM', { accounts: { nobody: account } }, (text) => text)
}

function assembled(word: 'FROM' | 'TO', written: object, resolve: ResolvePath) {
  const { configuration, problems } = assemble(written, resolve)
  if (configuration !== null) return configuration
  const [problem] = problems
  if (problem === undefined) throw usage(word, 'a URL')
  // Nobody wrote this configuration: of a path in it only the last key means something to a person.
  const inside = problem.path.slice(2)
  const key = pathText(inside[0] === 'deliver' ? inside.slice(1) : inside)
  throw usage(word, `${key === '' ? '' : `as its ${key} `}${problem.expected}`)
}

function usage(word: 'FROM' | 'TO', expected: string): PopfetchError {
  const text = `migrate FROM TO: ${word} is not right: expected ${expected}: see popfetch --help`
  return new PopfetchError('ERR_USAGE', text, { scope: 'process', retry: 'never' })
}
