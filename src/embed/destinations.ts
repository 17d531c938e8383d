// Destinations of popfetch's own kinds, as an embedding program writes them: the keys of the file (examples/reference.md). One of
// the program's own is made with `defineDestination`.
import type { SecretInput, TokenInput } from './secrets.ts'

/** `{account}`, `{recipient}`, `{local}` and `{domain}` may be in `path`, `to`, `folder` and `labels`. */
export type DestinationInput = MaildirInput | MboxInput | SmtpInput | LmtpInput | ImapInput | GmailInput | CommandInput

/** A name under `destinations`, a URL such as `maildir:/home/anna/Mail`, or a destination written in place. */
export type MemberInput = string | DestinationInput

/** The next one takes only what the one before it refuses. At least two. */
export interface FirstOfInput {
  readonly 'first-of': readonly MemberInput[]
}

/** A list delivers to all of it. */
export type DeliverInput = MemberInput | FirstOfInput | readonly (MemberInput | FirstOfInput)[]

interface CommonInput {
  /** Puts a `Received` field on top. Default: true. */
  readonly trace?: boolean
  /** Puts `X-Popfetch-Account: NAME` on top. Default: false. */
  readonly label?: boolean
}

/** A Maildir: a directory of files, one a message. Each message is there once, whatever happens. */
export interface MaildirInput extends CommonInput {
  readonly type: 'maildir'
  readonly path: string
  /** Makes missing folders. Default: true. */
  readonly create?: boolean
  readonly lineEndings?: 'lf' | 'crlf'
  /** Permissions of message files. Default: '0600'. */
  readonly mode?: string
  readonly date?: 'received' | 'now'
  /** All machines that share a ledger see the same files there. Default: false. */
  readonly shared?: boolean
}

/** An mbox: one file that holds all messages (mboxrd). Each message is there once, whatever happens. */
export interface MboxInput extends CommonInput {
  readonly type: 'mbox'
  readonly path: string
  /** As of a Maildir. */
  readonly shared?: boolean
}

interface ServerInput extends CommonInput {
  /** `starttls`: required. `implicit`: TLS from the first byte. `none`: unencrypted, the default for this machine. */
  readonly tls?: 'starttls' | 'implicit' | 'none'
  readonly tlsName?: string
  /** PEM file with the authorities to trust instead of the system's. */
  readonly ca?: string
  /** SHA-256 of the certificate, or a list of them; replaces the checks of chain, name and date. */
  readonly pin?: string | readonly string[]
  readonly port?: number
  /** Raises the usual time limits, never lowers them. */
  readonly timeout?: string
  /** This many messages at once. Only 1 keeps their order. */
  readonly concurrency?: number
  readonly password?: SecretInput
  readonly token?: TokenInput
}

interface EnvelopeInput extends ServerInput {
  readonly user?: string
  readonly auth?: 'auto' | 'plain' | 'login' | 'cram-md5' | 'xoauth2' | 'oauthbearer'
  /** The recipients. */
  readonly to: string | readonly string[]
  /** The envelope sender: an address, `original` (from Return-Path) or null. */
  readonly from?: string | null
  readonly bareNewlines?: 'fix' | 'refuse'
  readonly wrap?: 'never' | 'when-refused'
}

/** An SMTP server, to which messages are forwarded. After an answer that was lost a message may come twice, and is reported. */
export interface SmtpInput extends EnvelopeInput {
  readonly type: 'smtp'
  readonly host: string
  readonly helo?: string
  readonly deliveredTo?: 'rename' | 'keep' | 'hold'
  /** Messages at most: `'30/m'`, `'200/h'`, `'500/d'`, or a list of these. */
  readonly rate?: string | readonly string[]
}

/** A mail server that takes messages by LMTP, on this machine, in a private network, or over TLS. */
export interface LmtpInput extends EnvelopeInput {
  readonly type: 'lmtp'
  readonly host?: string
  /** A Unix socket instead of `host`. */
  readonly socket?: string
}

/** A folder of an IMAP server. Each message is there once, whatever happens, unless `trace` is false. */
export interface ImapInput extends ServerInput {
  readonly type: 'imap'
  readonly host: string
  readonly user: string
  readonly auth?: 'auto' | 'plain' | 'login'
  /** A name, or a special use such as `\\Junk`. Default: INBOX. */
  readonly folder?: string
  /** Makes a missing folder. Default: true. */
  readonly create?: boolean
  readonly flags?: readonly string[]
  readonly labels?: readonly string[]
  readonly date?: 'received' | 'now'
  /** Larger messages are refused. Default: '50MB'. */
  readonly maxSize?: string
}

/** A mailbox at Gmail, reached by its API. */
export interface GmailInput extends CommonInput {
  readonly type: 'gmail'
  readonly user: string
  readonly token: TokenInput
  /** Default: `['INBOX', 'UNREAD']`. */
  readonly labels?: readonly string[]
  readonly date?: 'header' | 'now'
  readonly spam?: 'classify' | 'never'
  readonly wrap?: 'never' | 'when-refused'
  readonly concurrency?: number
  /** An origin in place of Google's, for tests. */
  readonly endpoint?: string
}

/** A program that takes each message on its standard input; its exit code (sysexits) decides what becomes of the message. */
export interface CommandInput extends CommonInput {
  readonly type: 'command'
  /** A program and its arguments, run without a shell, with the message on its standard input. */
  readonly run: readonly [program: string, ...argument: readonly string[]]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly timeout?: string
  readonly concurrency?: number
}
