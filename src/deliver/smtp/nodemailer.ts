// The only door to nodemailer, which is loaded at first use. It declares only what popfetch uses of SMTPConnection and
// MailComposer. So a newer version that changes any of it does not compile. nodemailer is not trusted. It gets a connected
// socket (D074, its own DNS), and no path or URL to open (D076, its advisories). conversation.ts checks its word against the
// wire (D049, D062, D071).
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'

/** How to open a transport. Loading nodemailer takes 26 ms, which a poll without mail does not pay. */
export async function transports(): Promise<(options: TransportOptions) => Transport> {
  const { default: SMTPConnection } = await import('nodemailer/lib/smtp-connection')
  return (options) => new SMTPConnection(options)
}

/** The bytes of a new message, with CRLF line ends. nodemailer opens no file and no URL for it. */
export async function* compose(cover: Cover): AsyncGenerator<Buffer, void, void> {
  const { default: MailComposer } = await import('nodemailer/lib/mail-composer')
  const mail = { ...cover, attachments: [...cover.attachments], disableFileAccess: true, disableUrlAccess: true }
  yield* new MailComposer(mail).compile().createReadStream()
}

/** One SMTPConnection. */
export interface Transport {
  readonly secure: boolean
  /** nodemailer replaces it when STARTTLS succeeds. */
  readonly _socket: Socket | false | null
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown
  connect(done: (error?: Error) => void): void
  login(auth: Login, done: (error: Error | null) => void): void
  close(): void
}

export interface Login {
  readonly method: string
  readonly user: string
  readonly credentials: { readonly user: string; readonly pass: string }
}

export interface TransportOptions {
  readonly connection: Socket
  readonly host: string
  readonly port: number
  readonly name: string
  readonly secure: boolean
  readonly secured: boolean
  readonly requireTLS: boolean
  readonly lmtp: boolean
  readonly customAuth: { [mechanism: string]: (exchange: AuthExchange) => Promise<void> }
  readonly ignoreTLS: boolean
  readonly tls: ConnectionOptions
  readonly connectionTimeout: number
  readonly greetingTimeout: number
  readonly socketTimeout: number
  readonly socketCloseTimeout: number
  readonly maxResponseSize: number
  readonly transactionLog: boolean
  readonly logger: TransportLog
}

/** A mechanism of our own: resolving means signed in. */
export interface AuthExchange {
  readonly auth: { readonly credentials: { readonly user: string; readonly pass: string } }
  sendCommand(line: string): Promise<{ readonly status: number }>
}

/** nodemailer reports every command and every reply here, a reply just before it acts on it. */
export interface TransportLog {
  debug(entry: LogEntry, text: string): void
  info(entry: LogEntry): void
  warn(entry: LogEntry): void
  error(entry: LogEntry): void
}

export interface LogEntry {
  readonly tnx?: string
  readonly discarded?: number
}

/** A message to compose. */
export interface Cover {
  readonly from: { readonly name: string; readonly address: string }
  readonly to: string
  readonly subject: string
  readonly date: Date
  readonly messageId: string
  readonly text: string
  /** The same at every reading, so that the message can be counted before it is sent. */
  readonly baseBoundary: string
  readonly attachments: readonly [Attachment]
}

interface Attachment {
  readonly filename: string
  readonly contentType: 'message/rfc822'
  readonly contentDisposition: 'attachment'
  readonly contentTransferEncoding: 'base64'
  readonly content: Readable
}
