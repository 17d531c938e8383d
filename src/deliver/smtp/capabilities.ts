// EHLO and AUTH: what popfetch calls itself, what a server offers in its answer, and which way to sign in. Read by popfetch
// itself: nodemailer signs in with the first mechanism it likes, or goes on without signing in.
import type { TokenMechanism } from './bearer.ts'
import type { Fault } from './fault.ts'

/** `auto` is for a password; `token`: the way that the server offers for a token. */
export type Auth = 'auto' | 'plain' | 'login' | 'cram-md5' | 'token' | 'xoauth2' | 'oauthbearer'
type Mechanism = 'PLAIN' | 'LOGIN' | 'CRAM-MD5' | TokenMechanism

const MECHANISMS: Readonly<Record<Auth, readonly Mechanism[]>> = {
  auto: ['PLAIN', 'LOGIN'],
  plain: ['PLAIN'],
  login: ['LOGIN'],
  'cram-md5': ['CRAM-MD5'],
  // In this order: Google and Microsoft have the first.
  token: ['XOAUTH2', 'OAUTHBEARER'],
  xoauth2: ['XOAUTH2'],
  oauthbearer: ['OAUTHBEARER'],
}

export interface SignIn {
  readonly user: string
  readonly auth: Auth
  /** The password, or the token. Called just before each sign-in. */
  readonly secret: (refused?: string) => Promise<string>
}

/** The mechanism to sign in with, or why there is none: a configured user always signs in (D050). `auto` never picks
 *  CRAM-MD5, for which the server must keep the password itself. */
export function mechanismOf(offers: string, auth: Auth): Mechanism | Fault {
  const offered = new Set<string>()
  for (const [, list] of offers.matchAll(/^\d{3}[ -]AUTH[ =](.*)$/gim)) {
    for (const name of (list ?? '').split(/[\s=]+/)) if (name !== '') offered.add(name.toUpperCase())
  }
  if (offered.size === 0) return { kind: 'unfit', text: 'the server does not offer to sign in' }
  for (const name of MECHANISMS[auth]) if (offered.has(name)) return name
  return { kind: 'unfit', text: `the server offers ${[...offered].join(', ')}, not ${MECHANISMS[auth].join(' or ')}` }
}

/** RFC 6531: addresses and header fields may be UTF-8. */
export function takesUtf8(offers: string): boolean {
  return /^\d{3}[ -]SMTPUTF8[ \t]*$/im.test(offers)
}

/** RFC 1870: the largest message the server takes; null: it does not say. */
export function sizeLimitOf(offers: string): number | null {
  const limit = Number(/^\d{3}[ -]SIZE[ \t]+(\d{1,15})[ \t]*$/im.exec(offers)?.[1] ?? 0)
  return limit > 0 ? limit : null
}

/** RFC 5321 4.1.4: a name with a domain, else the address as a literal (4.1.3). */
export function greetingName(hostName: string, address: string | undefined): string {
  if (/^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+$/.test(hostName)) return hostName
  const local = address?.replace(/^::ffff:/, '').replace(/%.*$/, '') ?? '127.0.0.1'
  return local.includes(':') ? `[IPv6:${local}]` : `[${local}]`
}
