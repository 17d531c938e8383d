// Mailboxes and destinations as URLs: `pop3s://user@host`, `maildir:PATH`, `mbox:PATH`,
// `smtp://host?to=a@b`, `lmtp:SOCKET?to=a`. Pure.
// A URL becomes the keys that would have been written instead, so that the schema alone knows what is right and what the
// defaults are. The one rule: no password stands in a URL, and no error text repeats one.
import { bracketed, isLoopback } from '../values/host.ts'
import { commandName } from '../values/secret.ts'
import type { DestinationKeys } from './destinations.ts'
import type { Written } from '../values/written.ts'

export type ParsedUrl =
  | { readonly kind: 'written'; readonly written: Written }
  /** The words after "expected". */
  | { readonly kind: 'wrong'; readonly expected: string }

const DESTINATION_FORMS =
  'maildir:PATH, mbox:PATH, smtp://[user@]host[:port]?to=ADDRESS, smtps://…, lmtp:SOCKET?to=ADDRESS or lmtp://…'
const SOURCE_FORMS = 'pop3s://user@host[:port] or pop3://user@host[:port]'

/** Whether a text in `deliver` means a URL, not a name. */
export function isUrl(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)
}

/** The keys of a destination. */
export function parseDestinationUrl(text: string): ParsedUrl {
  const [scheme, rest] = cut(text, ':')
  if (scheme === 'maildir' || scheme === 'mbox') {
    // `maildir://~/Mail` and `maildir://Mail` would quietly mean directories of the root.
    if (/^\/\/(?!\/)/.test(rest)) return wrong(`${scheme}:PATH without slashes in front, such as ${scheme}:~/Mail`)
    return { kind: 'written', written: { type: scheme, path: rest } }
  }
  if (scheme !== 'smtp' && scheme !== 'smtps' && scheme !== 'lmtp') return wrong(DESTINATION_FORMS)
  const parameters = scheme === 'smtps' ? ['to'] : ['to', 'tls']
  const server =
    scheme === 'lmtp' && !rest.startsWith('//') ? parseSocket(rest) : parseServer(rest, parameters, DESTINATION_FORMS)
  if (server.kind === 'wrong') return server
  const { to, tls, ...written } = server.written
  if (typeof to !== 'string') return wrong('a recipient: ?to=ADDRESS')
  const encryption = scheme === 'smtps' ? { tls: 'implicit' } : tls === undefined ? {} : { tls }
  const type = scheme === 'lmtp' ? 'lmtp' : 'smtp'
  return { kind: 'written', written: { type, ...written, ...encryption, to: to.split(',') } }
}

/** The keys of an account: `host`, `user`, `tls`, and `port` if it is there. */
export function parseSourceUrl(text: string): ParsedUrl {
  const [scheme, rest] = cut(text, ':')
  if (scheme !== 'pop3' && scheme !== 'pop3s') return wrong(SOURCE_FORMS)
  const server = parseServer(rest, scheme === 'pop3s' ? [] : ['tls'], SOURCE_FORMS)
  if (server.kind === 'wrong') return server
  if (server.written['user'] === undefined) return wrong('a user: pop3s://user@host')
  return { kind: 'written', written: { tls: scheme === 'pop3s' ? 'implicit' : 'starttls', ...server.written } }
}

/** The URL that means this destination however it was written: the name of one written in place. A command has none: its
 *  name is its program, the arguments may hold a secret. */
export function canonicalUrl(config: DestinationKeys): string {
  if (config.type === 'maildir' || config.type === 'mbox') return `${config.type}:${config.path}`
  if (config.type === 'command') return `command:${commandName([config.run[0]]).slice(1, -1)}`
  const to = config.to.map((address) => address.replace(/[%&]/g, encodeURIComponent)).join(',')
  if (config.type === 'lmtp' && config.socketPath !== null) {
    return `lmtp:${config.socketPath.replace(/[%?]/g, encodeURIComponent)}?to=${to}`
  }
  const scheme = config.type === 'lmtp' ? 'lmtp' : config.tls === 'implicit' ? 'smtps' : 'smtp'
  const host = config.host ?? ''
  const user = config.user === null ? '' : `${config.user.replace(/[%?:]/g, encodeURIComponent)}@`
  const usual = isLoopback(host) ? 'none' : 'starttls'
  const tls = scheme === 'smtps' || config.tls === usual ? '' : `&tls=${config.tls}`
  return `${scheme}://${user}${bracketed(host)}:${config.port}?to=${to}${tls}`
}

/** `//[user@]host[:port][?name=value&…]` as keys; of the parameters only those named. The last `@` counts. */
function parseServer(text: string, names: readonly string[], forms: string): ParsedUrl {
  const [address, query] = cut(text, '?')
  const parts = /^\/\/(?:(.*)@)?(\[[^\]]*\]|[^:@/]*)(?::(\d{1,5}))?\/?$/s.exec(address)
  if (parts === null) return wrong(address.includes('@') ? `${forms}, without a password` : forms)
  const [, userinfo, host, port] = parts
  if (userinfo?.includes(':')) return wrong('no password in a URL, and a colon in a user name as %3A')
  const written: Record<string, unknown> = { host }
  if (port !== undefined) written['port'] = Number(port)
  if (userinfo !== undefined) {
    written['user'] = decode(userinfo)
    if (written['user'] === null) return wrong('a percent sign in a user name as %25')
  }
  return parameters(written, query, names)
}

/** `PATH?to=…`: a Unix socket. */
function parseSocket(text: string): ParsedUrl {
  const [encoded, query] = cut(text, '?')
  const socket = decode(encoded)
  if (socket === null || socket === '') return wrong('lmtp:SOCKET?to=ADDRESS, and a percent sign in a path as %25')
  return parameters({ socket }, query, ['to'])
}

/** Adds what stands after the `?`. */
function parameters(written: Record<string, unknown>, query: string, names: readonly string[]): ParsedUrl {
  for (const parameter of query === '' ? [] : query.split('&')) {
    const [name, encoded] = cut(parameter, '=')
    // Not URLSearchParams: it reads the plus of alice+pop@example.net as a space.
    const value = decode(encoded)
    if (!names.includes(name) || value === null) {
      return wrong(names.length === 0 ? 'nothing after the ?' : `after the ? only ${names.join('= and ')}=`)
    }
    // Several recipients: `to=a@b,c@d` and `to=a@b&to=c@d` mean the same.
    written[name] = name === 'to' && typeof written['to'] === 'string' ? `${written['to']},${value}` : value
  }
  return { kind: 'written', written }
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** Before and after the first `mark`. */
function cut(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)]
}

function wrong(expected: string): ParsedUrl {
  return { kind: 'wrong', expected }
}
