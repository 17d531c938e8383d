// Where a ledger in PostgreSQL is: its URL, as libpq writes it, and what stands beside it in the configuration. Pure.
// The one rule: no password is in the URL, which people see in errors, in `status` and in the list of processes.
import path from 'node:path'
import { bracketed, isLoopback, parseHost } from '../values/host.ts'
import type { SecretSource } from '../values/secret.ts'

/** A database, and where in it the ledger is. */
export interface DatabasePlace {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly schema: string
  /** It is to be encrypted though the server is this machine itself. */
  readonly tls: boolean
}

/** A ledger in PostgreSQL. */
export interface Postgres extends DatabasePlace {
  /** Null: the file in $PGPASSFILE may have one. */
  readonly password: SecretSource | null
  /** PEM file of the authorities to trust; null: the usual ones. */
  readonly ca: string | null
  /** Seals sign-ins in the database; null: there is none. */
  readonly key: SecretSource | null
  /** What sealed them before; null: nothing did. */
  readonly formerKey: SecretSource | null
}

export const SCHEMA = 'popfetch'

/** A name that needs no quotes, and so is written alike in every statement and tool. PostgreSQL cuts names after 63 bytes. */
const SCHEMA_NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/
export const SCHEMA_WORDS = 'a name of lower-case letters, digits and "_" that begins with no digit and not with "pg_"'

export const URL_WORDS =
  'postgres://user@host/database or postgres://user@/database?host=/folder/of/the/socket, without a password'

const USUAL_PORT = 5432
/** Debian's folder of the socket. */
const USUAL_SOCKET = '/var/run/postgresql'

/** Whether a text means a database and no file. */
export function isPostgresUrl(text: string): boolean {
  return /^postgres(?:ql)?:\/\//i.test(text)
}

export function isSchemaName(text: string): boolean {
  return SCHEMA_NAME.test(text)
}

/** Null: it is none, has a password, several hosts, or a parameter of which nobody knows what it would change. */
export function parsePostgresUrl(text: string): DatabasePlace | null {
  const [, authority = '', name = '', query = ''] =
    /^postgres(?:ql)?:\/\/([^/?#]*)\/([^/?#]+)(?:\?([^#]*))?$/i.exec(text) ?? []
  const at = authority.lastIndexOf('@')
  const user = decoded(authority.slice(0, Math.max(at, 0)))
  const database = decoded(name)
  const given = parametersOf(query)
  if (user === null || user === '' || authority.slice(0, at).includes(':') || database === null || given === null)
    return null
  const [, server = '', digits] = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(authority.slice(at + 1)) ?? [null, ',']
  const host = hostOf(given.get('host') ?? decoded(server) ?? ',', at >= 0 && server !== '' && given.has('host'))
  const port = Number(given.get('port') ?? digits ?? USUAL_PORT)
  const schema = given.get('schema') ?? SCHEMA
  if (host === null || !Number.isInteger(port) || port < 1 || port > 65_535 || !isSchemaName(schema)) return null
  const mode = given.get('sslmode')
  // Nothing less is done: a certificate is always verified.
  if (mode !== undefined && !/^(?:require|verify-ca|verify-full)$/.test(mode)) return null
  return { host, port, user, database, schema, tls: mode !== undefined }
}

const PARAMETERS: ReadonlySet<string> = new Set(['host', 'port', 'schema', 'sslmode'])

function parametersOf(query: string): ReadonlyMap<string, string> | null {
  const given = new Map<string, string>()
  for (const part of query === '' ? [] : query.split('&')) {
    const [name = '', ...rest] = part.split('=')
    const value = decoded(rest.join('='))
    if (!PARAMETERS.has(name) || given.has(name) || value === null || value === '') return null
    given.set(name, value)
  }
  return given
}

/** `isTwice`: the URL names two. */
function hostOf(text: string, isTwice: boolean): string | null {
  if (isTwice) return null
  if (text === '') return USUAL_SOCKET
  // A folder: libpq takes what begins with a slash for that of a socket.
  return text.startsWith('/') ? path.posix.join(text, '.').replace(/(?<=.)\/$/, '') : parseHost(text)
}

function decoded(text: string): string | null {
  try {
    const plain = decodeURIComponent(text)
    // eslint-disable-next-line no-control-regex
    return /[\x00-\x1f\x7f]/.test(plain) ? null : plain
  } catch {
    return null
  }
}

export function isSocket({ host }: Pick<DatabasePlace, 'host'>): boolean {
  return host.startsWith('/')
}

/** Is the way to it encrypted? Not where it does not leave this machine, unless that is asked for. */
export function isEncrypted({ host, tls, ca }: Pick<Postgres, 'host' | 'tls' | 'ca'>): boolean {
  return !isSocket({ host }) && (tls || ca !== null || !isLoopback(host))
}

/** The URL in its one spelling: what people call the ledger, and what `--state` takes. */
export function postgresUrl({ host, port, user, database, schema, tls }: DatabasePlace): string {
  const onSocket = isSocket({ host })
  const at = onSocket ? '' : bracketed(host) + (port === USUAL_PORT ? '' : `:${port}`)
  const parameters = [
    ...(onSocket ? [`host=${encodeURIComponent(host).replaceAll('%2F', '/')}`] : []),
    ...(onSocket && port !== USUAL_PORT ? [`port=${port}`] : []),
    ...(schema === SCHEMA ? [] : [`schema=${schema}`]),
    ...(tls ? ['sslmode=verify-full'] : []),
  ]
  const query = parameters.length === 0 ? '' : `?${parameters.join('&')}`
  return `postgres://${encodeURIComponent(user)}@${at}/${encodeURIComponent(database)}${query}`
}
