// Where the ledger is, and where on this machine the things are that lie beside it: socket, log, spool, what was told. With a ledger
// in a database these lie in a folder of the usual state folder, under a hash of its URL.
import { hash } from 'node:crypto'
import path from 'node:path'
import { PopfetchError } from '../../errors.ts'
import { resolvePath, stateFolder, usualStatePath, type Environment } from '../paths.ts'
import { isPostgresUrl, parsePostgresUrl, type Postgres, postgresUrl, URL_WORDS } from './postgres.ts'

export interface StatePlace {
  /** The ledger's file; absolute. With a ledger in a database there is no such file: then the path only says where on this machine
   *  lies what is otherwise beside the file. */
  readonly statePath: string
  /** Null: the ledger is that file. */
  readonly postgres: Postgres | null
}

/** A ledger in a file. */
export function inFile(statePath: string): StatePlace {
  return { statePath, postgres: null }
}

/** As it was written; `path` null: the usual file, unless there is a database. */
export function statePlace(
  { path: file, postgres }: { readonly path: string | null; readonly postgres: Postgres | null },
  env: Environment,
): StatePlace {
  if (postgres === null) return inFile(file ?? usualStatePath(env))
  const name = `postgres-${hash('sha256', postgresUrl(postgres)).slice(0, 16)}`
  return { statePath: path.join(stateFolder({ statePath: usualStatePath(env) }), name, 'ledger'), postgres }
}

/** What messages to people call it: a path, or a URL. Takes `--state` there. */
export function placeName({ statePath, postgres }: StatePlace): string {
  return postgres === null ? statePath : postgresUrl(postgres)
}

/** `--state`, as it can be handed to a process in another directory: a URL stays, a path is absolute. */
export function stateWord(text: string, cwd: string, env: Environment): string {
  return isPostgresUrl(text) ? text : resolvePath(text, cwd, env)
}

/** `--state`. `written`: what the configuration says; the password and the keys that it has for this user at this server go with a URL, and
 *  the authorities. Throws ERR_USAGE. */
export function namedState(
  text: string,
  cwd: string,
  env: Environment,
  written: () => Postgres | null = () => null,
): StatePlace {
  if (!isPostgresUrl(text)) return inFile(resolvePath(text, cwd, env))
  const place = parsePostgresUrl(text)
  if (place === null) {
    // It is not repeated: there may be a password in it.
    const message = `--state: this URL is not right: expected ${URL_WORDS}: see popfetch --help`
    throw new PopfetchError('ERR_USAGE', message, { scope: 'process', retry: 'never' })
  }
  const known = written()
  const isSame = known?.host === place.host && known.port === place.port
  const own = isSame && known.user === place.user ? known : { password: null, key: null, formerKey: null }
  const { password, key, formerKey } = own
  return statePlace({ path: null, postgres: { ...place, password, key, formerKey, ca: isSame ? known.ca : null } }, env)
}
