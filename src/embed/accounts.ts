// Accounts, as an embedding program writes them: the keys of the file (examples/reference.md), with the same defaults and checks.
// Plain interfaces, so that a program's types stay small; a test compares them with the schema that checks the values.
// Durations are texts such as '90s', '5m', '12h', '30d'; sizes '500KB', '50MB', '1GB'.
import type { DeliverInput } from './destinations.ts'
import type { SecretInput, TokenInput } from './secrets.ts'

/** One mailbox at one server. */
export interface AccountInput {
  /** `false`: the account is kept and not polled. Default: true. */
  readonly enabled?: boolean
  /** Names that this account had before, whatever its server: its next poll takes over what is recorded under them. */
  readonly formerly?: string | readonly string[]
  /** Name or address of the POP3 server; its certificate must be valid for this name. */
  readonly host: string
  /** Default: 995 with `tls: 'implicit'`, otherwise 110. */
  readonly port?: number
  /** `implicit` (default): TLS from the first byte. `starttls`: STLS, required. `none`: unencrypted. */
  readonly tls?: 'implicit' | 'starttls' | 'none'
  /** The name that the certificate must be valid for, if it is not `host`; also sent as SNI. */
  readonly tlsName?: string
  /** PEM file with the authorities to trust instead of the system's. */
  readonly ca?: string
  /** SHA-256 of the certificate, 64 hexadecimal digits, or a list of them; replaces the checks of chain, name and date. */
  readonly pin?: string | readonly string[]
  /** PEM files with a client certificate and its key. */
  readonly clientCert?: string
  readonly clientKey?: string
  readonly user: string
  /** One of `password` and `token` is needed. */
  readonly password?: SecretInput
  readonly token?: TokenInput
  /** Default: `auto`, the best mechanism that the server offers, except `cram-md5` and `apop`. */
  readonly auth?:
    | 'auto'
    | 'scram-sha-256'
    | 'scram-sha-1'
    | 'plain'
    | 'login'
    | 'user'
    | 'cram-md5'
    | 'apop'
    | 'xoauth2'
    | 'oauthbearer'
  /** Where messages go: names under `destinations`, URLs, or destinations written in place. */
  readonly deliver: DeliverInput
  /** The first rule that matches sends a message elsewhere. */
  readonly route?: readonly RouteInput[]
  /** For a mailbox that collects the mail of a whole domain: whose mail a message is. */
  readonly recipient?: string | RecipientInput
  /** When a delivered message leaves the server: `never` (default), `after-delivery`, or an age such as `30d`, counted from when
   *  popfetch first saw it. */
  readonly delete?: string
  /** What the very first poll fetches: `all` (default), `new`, `last:N`, `since:2026-11-01`. What it skips is never deleted. */
  readonly first?: string
  /** Messages fetched in one session at most. */
  readonly limit?: number
  /** Larger messages are held and stay on the server: a size such as `50MB`. */
  readonly maxSize?: string
  /** How often `run` polls: a duration (default `5m`), or `{ min, max }` to adapt. */
  readonly poll?: string | { readonly min: string; readonly max: string }
  /** A session without progress for this long is ended. Default: `60s`. */
  readonly timeout?: string
  /** `off` sends one command at a time. Default: `auto`. */
  readonly pipelining?: 'auto' | 'off'
  /** `socks5://host:port` or `http://host:port`. */
  readonly proxy?: string
  /** A program and its arguments whose standard input and output are the connection to the server. */
  readonly via?: readonly [program: string, ...argument: readonly string[]]
  /** A program to run before connecting; if it fails, the account is not polled. */
  readonly before?: readonly [program: string, ...argument: readonly string[]]
  /** A program to run after a poll; its environment tells how that went. */
  readonly after?: readonly [program: string, ...argument: readonly string[]]
}

/** A rule of an account: where messages go that are like this. */
export interface RouteInput {
  /** The whole text must match; `*` stands for any text. At least one. */
  readonly when: {
    readonly from?: string
    readonly to?: string
    readonly subject?: string
    readonly header?: Readonly<Record<string, string>>
    /** `'>5MB'` or `'<100KB'`. */
    readonly size?: string
  }
  readonly deliver: DeliverInput
}

/** Whose mail a message is, in a mailbox that collects the mail of a whole domain. Fills `{recipient}`, `{local}` and `{domain}`. */
export interface RecipientInput {
  /** The header field in which the provider writes the recipient. */
  readonly header: string
  /** The domains of the mailbox; an address in another one is ignored. */
  readonly domains: string | readonly string[]
  /** Whom to assume when the field names none. */
  readonly otherwise: string
}

/** A client under which popfetch signs in at a provider. See `oauth` in examples/reference.md. */
export interface OAuthInput {
  readonly provider?: string
  readonly issuer?: string
  readonly authorizationEndpoint?: string
  readonly tokenEndpoint?: string
  readonly deviceEndpoint?: string
  readonly revocationEndpoint?: string
  readonly clientId: string
  readonly clientSecret?: SecretInput
  readonly clientSecretExpires?: string
  readonly clientCertificate?: string
  readonly clientKey?: string
  readonly tenant?: string
  readonly scopes?: readonly string[]
  readonly flow?: 'auto' | 'device' | 'browser' | 'client-credentials'
  readonly redirectPort?: number
}
