// What smtp and lmtp have in common: which keys of a session and of an envelope go together, how they are shown, and what
// deliver/smtp/ gets of them.
// The one rule: nothing here lets a secret leave this machine unencrypted.
import type { Sender } from '../../deliver/envelope.ts'
import { filledAddress, namesMailbox } from '../../deliver/placeholders.ts'
import { isLoopback, parseHost } from '../values/host.ts'
import { formatDuration } from '../values/quantity.ts'
import { pem, sourceKeys } from '../values/secret.ts'
import { pinKeys } from '../values/pins.ts'
import type { SecretSource, TokenSource } from '../values/secret.ts'
import type { Conflict, Written } from '../values/written.ts'
import { secretReader, type Opening, type ParsedUrl } from './kind.ts'
import { wrong } from './url.ts'

/** The keys of a session and an envelope that cannot be combined. `local`: the server is this machine. `usualTls`: where none is
 *  written. */
export function serverConflicts(
  written: Written,
  local: boolean,
  usualTls: 'none' | 'starttls' = local ? 'none' : 'starttls',
): readonly Conflict[] {
  const { user, password, token, to, from, auth, host } = written
  const tls = written['tls'] ?? usualTls
  const conflicts: Conflict[] = []
  const secret = token === undefined ? 'password' : 'token'
  if (user !== undefined && password === undefined && token === undefined) {
    conflicts.push({ key: 'user', expected: 'a password with it, or a token' })
  }
  if (written[secret] !== undefined && user === undefined) conflicts.push({ key: secret, expected: 'a user with it' })
  if (token !== undefined && password !== undefined) conflicts.push({ key: 'token', expected: 'no password beside it' })
  if (auth !== undefined && user === undefined) {
    conflicts.push({ key: 'auth', expected: 'a user and a password with it' })
  } else if (isForToken(auth) && token === undefined) {
    conflicts.push({ key: 'auth', expected: `a token with ${auth}` })
  } else if (token !== undefined && auth !== undefined && auth !== 'auto' && !isForToken(auth)) {
    conflicts.push({ key: 'auth', expected: 'xoauth2 or oauthbearer with a token' })
  }
  if (written[secret] !== undefined && tls === 'none' && typeof host === 'string' && !local) {
    conflicts.push({
      key: 'tls',
      expected: 'starttls or implicit: a password goes without TLS only to this machine itself',
    })
  }
  for (const key of ['tlsName', 'ca', 'pin']) {
    if (written[key] !== undefined && tls === 'none') {
      conflicts.push({ key, expected: 'no such key with tls: none, where no certificate is seen' })
    }
  }
  if (typeof from === 'string' && namesMailbox(from)) {
    conflicts.push({ key: 'from', expected: 'an address; in braces only {account}' })
  }
  if (Array.isArray(to) && new Set(to).size !== to.length) conflicts.push({ key: 'to', expected: 'every address once' })
  return conflicts
}

function isForToken(auth: unknown): auth is 'xoauth2' | 'oauthbearer' {
  return auth === 'xoauth2' || auth === 'oauthbearer'
}

export function isThisMachine(host: unknown): boolean {
  return typeof host === 'string' && isLoopback(parseHost(host) ?? '')
}

/** The keys of a server's URL together with `keys`, its recipients as a list. */
export function withRecipients(server: ParsedUrl, keys: { readonly type: string; readonly tls?: string }): ParsedUrl {
  if (server.kind === 'wrong') return server
  const { to, ...written } = server.written
  if (typeof to !== 'string') return wrong('a recipient: ?to=ADDRESS')
  return { kind: 'written', written: { ...written, ...keys, to: to.split(',') } }
}

/** The recipients as they stand in a URL. */
export function recipientsText(to: readonly string[]): string {
  return to.map((address) => address.replace(/[%&]/g, encodeURIComponent)).join(',')
}

/** What the schemas of both make of their keys. */
interface ServerKeys {
  readonly pin: readonly string[] | null
  readonly password: SecretSource | null
  readonly token: TokenSource | null
  readonly auth: 'auto' | 'plain' | 'login' | 'cram-md5' | 'xoauth2' | 'oauthbearer'
  readonly ca: string | null
  readonly from: Sender
  readonly to: readonly string[]
  readonly timeoutMs: number | null
}

export function shownServer<Keys extends ServerKeys>({ timeoutMs, ...keys }: Keys) {
  const { pin, password, token, from } = keys
  return {
    ...keys,
    pin: pinKeys(pin),
    password: sourceKeys(password),
    token: sourceKeys(token),
    from: from.kind === 'address' ? from.address : from.kind,
    timeout: timeoutMs === null ? null : formatDuration(timeoutMs),
  }
}

/** The addresses in which placeholders may stand. */
export function addresses({ to, from }: ServerKeys): readonly string[] {
  return from.kind === 'address' ? [...to, from.address] : to
}

/** The settings that are the same for both: the account's name filled in, the certificate read. */
export async function serverSettings<
  Keys extends ServerKeys & { readonly name: string; readonly type: string; readonly user: string | null },
>(config: Keys, opening: Opening) {
  const { from, to, ca, token, auth } = config
  return {
    ...config,
    auth: token !== null && auth === 'auto' ? ('token' as const) : auth,
    from: from.kind === 'address' ? { ...from, address: filledAddress(from.address, opening) } : from,
    to: to.map((address) => filledAddress(address, opening)),
    ca: ca === null ? null : await pem(ca),
    secret: secretReader(config, opening),
  }
}
