// Mailboxes as URLs, and what the URLs of all destinations have in common. The forms of a kind are in its own file. Pure.
// A URL becomes the keys that would have been written instead: the schema alone knows what is right and what defaults are.
// The command line loads this file to tell a URL from a name: it imports next to nothing.
// The one rule: no password is in a URL, and no error text repeats one.
import { bracketed } from '../values/host.ts'
import type { ParsedUrl, UrlForms } from './kind.ts'

/** A few recipients fit. */
const LONGEST_URL = 8192

const SOURCE_FORMS = 'pop3s://user@host[:port] or pop3://user@host[:port]'

/** Whether a text in `deliver` means a URL, not a name. */
export function isUrl(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)
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

/** `SCHEME:PATH`: all that follows the colon is the path, literally. */
export function pathUrl(type: string): UrlForms {
  return {
    schemes: [type],
    forms: [`${type}:PATH`],
    read(scheme, path) {
      // `maildir://~/Mail` and `maildir://Mail` would quietly mean directories of the root.
      if (/^\/\/(?!\/)/.test(path)) return wrong(`${scheme}:PATH without slashes in front, such as ${scheme}:~/Mail`)
      return { kind: 'written', written: { type, path } }
    },
  }
}

/** `//[user@]host:port`, which parseServer reads. */
export function serverText({ user, host, port }: { user: string | null; host: string; port: number | null }): string {
  const before = user === null ? '' : `${user.replace(/[%?:]/g, encodeURIComponent)}@`
  return `//${before}${bracketed(host)}:${port}`
}

/** `//[user@]host[:port][?name=value&…]` as keys. The last `@` counts. Only parameters of these names are known. `forms`: what
 *  was expected instead of another text. */
export function parseServer(text: string, names: readonly string[], forms: string): ParsedUrl {
  if (text.length > LONGEST_URL) return wrong(forms)
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

/** The keys, with what is after the `?` added to them. */
export function parameters(written: Record<string, unknown>, query: string, names: readonly string[]): ParsedUrl {
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

/** Percent-encoded text as it is meant; null: it is encoded wrongly. */
export function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** Before and after the first `mark`. */
export function cut(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)]
}

export function wrong(expected: string): ParsedUrl {
  return { kind: 'wrong', expected }
}
