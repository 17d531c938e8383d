// Where files are: the configuration itself, the ledger, and paths written in the configuration.
// The one rule: the list of places is fixed. The working directory and the tree above it are never searched, because a
// configuration names commands to run: a stranger's configuration is a stranger's program (N023, a file of a stranger).
import { lstat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import path from 'node:path'
import { display } from '../display.ts'
import { errnoOf, PopfetchError } from '../errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const NAMES = ['config.yaml', 'config.yml', 'config.json']

/** Where a configuration is looked for when nobody names one: the first file that exists counts. */
export function configurationPlaces(env: Environment): readonly string[] {
  const own = absolute(env['XDG_CONFIG_HOME']) ?? path.join(home(env), '.config')
  return [path.join(own, 'popfetch'), '/etc/popfetch'].flatMap((directory) =>
    NAMES.map((name) => path.join(directory, name)),
  )
}

/** The configuration file: `--config`, else $POPFETCH_CONFIG, else the first of the places. Rejects when there is none. */
export async function findConfiguration(
  named: string | null,
  env: Environment,
  cwd: string,
  usual: readonly string[] | null = null,
): Promise<string> {
  const chosen = named ?? (env['POPFETCH_CONFIG'] || null)
  if (chosen !== null) return resolvePath(chosen, cwd, env)
  const places = usual ?? configurationPlaces(env)
  for (const place of places) {
    // lstat, because a link that leads nowhere exists: no other configuration silently takes its place.
    if (await exists(place)) return place
  }
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

/** The log of a background process for which no file was named: beside the ledger. */
export function usualLogFile(configuration: { readonly statePath: string }): string {
  return path.join(stateFolder(configuration), 'popfetch.log')
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
  const named = absolute(env['HOME'])
  if (named !== null) return named
  try {
    return userInfo().homedir
  } catch (cause) {
    const text = 'HOME is not set, and this user is not in the password file: set HOME, or name the files'
    throw new PopfetchError('ERR_CONFIG', `looking for the home directory: ${text} with --config and --state`, {
      scope: 'process',
      retry: 'never',
      cause,
    })
  }
}
