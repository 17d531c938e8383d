// `proxy: socks5://host:port` or `http://host:port`, a user and password in it percent-encoded. Pure.
// The one rule: its password is a secret like any other. Where the URL is shown, a mask is in its place.
import { bracketed, parseHost } from './host.ts'
import { MASK, SecretText } from './secret.ts'
import { parsed } from './values.ts'

export interface ProxyConfig {
  readonly kind: 'socks5' | 'http'
  readonly host: string
  readonly port: number
  /** Null: the proxy asks for none. */
  readonly user: string | null
  readonly password: SecretText | null
}

const FORM = 'socks5://host:port or http://host:port, with user:password@ in front if need be, percent-encoded'

/** User and password: RFC 1929 §2 has one octet for the length of each. */
const CREDENTIAL_LIMIT = 255

export const proxy = parsed(
  FORM,
  (text): ProxyConfig | null => {
    const [, kind, user, password, name = '', digits] =
      /^(socks5|http):\/\/(?:([^:@/?#]+)(?::([^:@/?#]+))?@)?(\[[^\]@]*\]|[^:@/?#[\]]+):(\d{1,5})\/?$/.exec(text) ?? []
    const host = parseHost(name)
    const port = Number(digits)
    if ((kind !== 'socks5' && kind !== 'http') || host === null || port < 1 || port > 65_535) return null
    const credentials = [user, password].map(credential)
    const [who = null, secret = null] = credentials
    if ((user !== undefined && who === null) || (password !== undefined && secret === null)) return null
    // A colon would end the user name for a HTTP proxy (RFC 7617 §2).
    if (kind === 'http' && who?.includes(':')) return null
    return { kind, host, port, user: who, password: secret === null ? null : new SecretText(secret) }
  },
  /^(?:socks5|http):\/\//,
)

/** Whether a password may be in it. Asked of any text, right or wrong. */
export function holdsPassword(text: string): boolean {
  const [start] = /^[^/]*\/\//.exec(text) ?? []
  if (start === undefined) return false
  const colon = text.slice(start.length).split('/', 1)[0]?.indexOf(':') ?? -1
  return colon >= 0 && text.indexOf('@', start.length + colon) >= 0
}

/** As it may be shown. */
export function proxyText({ kind, host, port, user, password }: ProxyConfig): string {
  const secret = password === null ? '' : `:${MASK}`
  const credentials = user === null ? '' : `${encodeURIComponent(user)}${secret}@`
  return `${kind}://${credentials}${bracketed(host)}:${port}`
}

function credential(encoded: string | undefined): string | null {
  if (encoded === undefined) return null
  try {
    const text = decodeURIComponent(encoded)
    // eslint-disable-next-line no-control-regex
    return /[\x00-\x1f\x7f]/.test(text) || Buffer.byteLength(text) > CREDENTIAL_LIMIT ? null : text
  } catch {
    return null
  }
}
