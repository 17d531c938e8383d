// Where files are: the configuration itself, the ledger, and paths written in the configuration.
// The one rule: the list of places is fixed. The working directory and the tree above it are never searched, because a
// configuration names commands to run. A stranger's configuration is a stranger's program (N023, a file of a stranger).
import { lstat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import path from 'node:path'
import { display } from '../display.ts'
import { errnoOf, PopfetchError } from '../errors.ts'
import type { ResolvePath } from './values/values.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What the configuration is called that the environment itself holds; others are called by their file. */
export const IN_ENVIRONMENT = '$POPFETCH_CONFIG_YAML'

/** The text of a configuration without a file, as containers have it; null: there is none. */
export function textInEnvironment(env: Environment): string | null {
  return env['POPFETCH_CONFIG_YAML'] || null
}

const NAMES = ['config.yaml', 'config.yml', 'config.json']

/** Where a configuration is looked for when nobody names one: the first file that exists counts. */
export function configurationPlaces(env: Environment): readonly string[] {
  const own = absolute(env['XDG_CONFIG_HOME']) ?? path.join(home(env), '.config')
  return [...namesIn(path.join(own, 'popfetch')), ...machinePlaces()]
}

/** Those of configurationPlaces; a user without a home (N046, a container's user) has those of the machine. */
export function placesToRead(env: Environment): readonly string[] {
  const isHomeless = homeOrNull(env) === null && absolute(env['XDG_CONFIG_HOME']) === null
  return isHomeless ? machinePlaces() : configurationPlaces(env)
}

function machinePlaces(): readonly string[] {
  return namesIn('/etc/popfetch')
}

function namesIn(directory: string): readonly string[] {
  return NAMES.map((name) => path.join(directory, name))
}

/** The configuration file: `--config`, else $POPFETCH_CONFIG, else IN_ENVIRONMENT, else the first of the places. Rejects when
 *  there is none. */
export async function findConfiguration(
  named: string | null,
  env: Environment,
  cwd: string,
  usual: readonly string[] | null = null,
): Promise<string> {
  const chosen = named ?? (env['POPFETCH_CONFIG'] || null)
  const isInEnvironment = textInEnvironment(env) !== null
  // A daemon in the background is told its configuration by --config.
  if (isInEnvironment && (chosen === null || chosen === IN_ENVIRONMENT)) return IN_ENVIRONMENT
  if (chosen !== null) return resolvePath(chosen, cwd, env)
  const places = usual ?? placesToRead(env)
  for (const place of places) {
    // lstat, because a link that leads nowhere exists: no other configuration silently takes its place.
    if (await exists(place)) return place
  }
  // The first thing to mend, where there is none.
  if (usual === null) configurationPlaces(env)
  const list = places.map((place) => `  ${display(place)}`).join('\n')
  const text = 'no configuration found. Run "popfetch init", create one of these files, or use --config'
  throw new PopfetchError('ERR_CONFIG', `${text}:\n${list}`, { scope: 'process', retry: 'never' })
}

async function exists(place: string): Promise<boolean> {
  try {
    await lstat(place)
    return true
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return false
    const how = `${errno ?? 'it cannot be read'}: repair its permissions or name a file with --config`
    throw new PopfetchError('ERR_CONFIG', `looking for the configuration ${display(place)}: ${how}`, {
      scope: 'process',
      retry: 'never',
      cause: error,
    })
  }
}

/** The ledger's file when neither `--state` nor `state:` names one. Under systemd the first StateDirectory=. */
export function usualStatePath(env: Environment): string {
  const systemd = absolute(env['STATE_DIRECTORY']?.split(':')[0])
  if (systemd !== null) return path.join(systemd, 'state.db')
  const own = absolute(env['XDG_STATE_HOME']) ?? path.join(home(env), '.local', 'state')
  return path.join(own, 'popfetch', 'state.db')
}

/** The folder of what lies beside a ledger: spool, log, the ledgers of migrations. */
export function stateFolder({ statePath }: { readonly statePath: string }): string {
  return path.dirname(statePath)
}

/** Who was told by the last good configuration (daemon/told.ts): beside the ledger. */
export function keptTelling(configuration: { readonly statePath: string }): string {
  return `${configuration.statePath}.notify`
}

/** What `accountsFrom` printed last and was good (sources/kept.ts): beside the ledger. */
export function keptAccounts(configuration: { readonly statePath: string }): string {
  return `${configuration.statePath}.accounts`
}

/** The log of a daemon for which no file was named: beside the ledger. */
export function usualLogFile(configuration: { readonly statePath: string }): string {
  return path.join(stateFolder(configuration), 'popfetch.log')
}

/** Makes paths in a configuration absolute. */
export function resolving(file: string, env: Environment): ResolvePath {
  if (file !== IN_ENVIRONMENT) return (text) => resolvePath(text, path.dirname(file), env)
  const resolve = (text: string): string | null =>
    path.isAbsolute(text) || /^~(?:\/|$)/.test(text) ? resolvePath(text, '/', env) : null
  return Object.assign(resolve, { form: `an absolute path, since ${IN_ENVIRONMENT} is in no directory` })
}

/** A path as written, made absolute; `~` is the home directory. */
export function resolvePath(text: string, base: string, env: Environment): string {
  if (text === '~' || text.startsWith('~/')) return path.join(home(env), text.slice(1))
  return path.resolve(base, text)
}

/** The XDG specification: a path in these variables that is not absolute is to be ignored. */
function absolute(text: string | undefined): string | null {
  return text !== undefined && path.isAbsolute(text) ? text : null
}

/** A system service may have no HOME: the password file knows then. Throws ERR_CONFIG if it does not know the user. */
function home(env: Environment): string {
  const found = homeOrNull(env)
  if (found !== null) return found
  const text = 'HOME is not set, and this user is not in the password file: set HOME, or name the files'
  throw new PopfetchError('ERR_CONFIG', `looking for the home directory: ${text} with --config and --state`, {
    scope: 'process',
    retry: 'never',
  })
}

function homeOrNull(env: Environment): string | null {
  const named = absolute(env['HOME'])
  if (named !== null) return named
  try {
    return userInfo().homedir
  } catch {
    return null
  }
}
