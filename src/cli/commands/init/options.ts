// The words after `popfetch init` → the answers that are given already, or a usage error. Reading argv is options.ts. Pure.
import { passwordOf, type MigrateRequest, type MigrateWords } from '../migrate/options.ts'
import { usageError } from '../../usage.ts'

const text = (describe: string) => ({ type: 'string', nargs: 1, requiresArg: true, describe }) as const

export const INIT_OPTIONS = {
  address: text('Mail address of the mailbox'),
  host: text('Its POP3 server; without it, the server is looked for'),
  port: text('Port of the server'),
  tls: text('implicit, starttls or none'),
  user: text('Name to sign in with'),
  'token-command': text('This command prints an OAuth 2.0 access token, in place of a password'),
  deliver: text('Where mail goes: maildir:PATH, mbox:PATH, smtp://host?to=ADDRESS, lmtp:SOCKET?to=NAME'),
  'delete-policy': text('never, after-delivery or an age such as 30d'),
  first: text('What the first poll fetches: all, new or last:N'),
  name: text('Name of the account'),
  untested: { type: 'boolean', describe: 'Do not try to sign in' },
} as const

export const INIT_YES = {
  type: 'boolean',
  describe: 'Take the usual answer where there is one, and write the file without asking',
} as const

export const INIT = `Asks for what no option says, tries to sign in, shows the file and writes it.
The server is looked for in the DNS of the address's domain, at its autoconfig
pages, and in a table of large providers. --yes writes without asking.`

export interface InitRequest {
  readonly address: string | null
  readonly host: string | null
  readonly port: number | null
  readonly tls: (typeof TLS)[number] | null
  readonly user: string | null
  readonly password: MigrateRequest['password']
  readonly tokenCommand: string | null
  readonly deliver: string | null
  readonly deletePolicy: string | null
  readonly first: string | null
  readonly name: string | null
  readonly untested: boolean
  readonly yes: boolean
  readonly output: string | null
}

const TLS = ['implicit', 'starttls', 'none'] as const

export type InitWords = Omit<InitRequest, 'port' | 'tls' | 'password' | 'tokenCommand' | 'deletePolicy'> &
  Pick<MigrateWords, 'password-env' | 'password-file' | 'password-command'> & {
    readonly port: string | null
    readonly tls: string | null
    readonly 'token-command': string | null
    readonly 'delete-policy': string | null
  }

/** Throws ERR_USAGE. What only the schema of the configuration can tell is looked at later. */
export function initRequest(given: InitWords): InitRequest {
  const { address, host, user, deliver, first, name, untested, yes, output } = given
  if (output === '-') throw usageError('init writes a file: name it with --output FILE')
  const port = given.port === null ? null : Number(given.port)
  if (port !== null && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw usageError('--port must be a whole number from 1 to 65535')
  }
  const tls = TLS.find((mode) => mode === given.tls) ?? null
  if (tls !== given.tls) throw usageError(`--tls must be one of ${TLS.join(', ')}`)
  const password = passwordOf(given)
  const tokenCommand = given['token-command']
  if (password !== null && tokenCommand !== null) throw usageError('--token-command takes the place of a password')
  return {
    address,
    host,
    port,
    tls,
    user,
    password,
    tokenCommand,
    deliver,
    deletePolicy: given['delete-policy'],
    first,
    name,
    untested,
    yes,
    output,
  }
}
