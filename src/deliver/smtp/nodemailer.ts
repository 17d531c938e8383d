// What popfetch uses of nodemailer's SMTPConnection, and nothing more: so that `smtp.ts` is nodemailer's only door, and a
// newer version that changes any of it does not compile. Types only.
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'

/** What is used of nodemailer's SMTPConnection. */
export interface Transport {
  readonly secure: boolean
  /** nodemailer replaces it when STARTTLS succeeds. */
  readonly _socket: Socket | false | null
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown
  connect(done: (error?: Error) => void): void
  login(auth: Login, done: (error: Error | null) => void): void
  send(envelope: TransportEnvelope, message: Buffer | Readable, done: (error: Error | null, sent?: Sent) => void): void
  reset(done: (error: Error | null) => void): void
  quit(): void
  close(): void
}

export interface Login {
  readonly method: string
  readonly user: string
  readonly credentials: { readonly user: string; readonly pass: string }
}

/** nodemailer writes into it. */
export interface TransportEnvelope {
  from: string | false
  to: string[]
  size: number
  use8BitMime: boolean
}

export interface Sent {
  readonly accepted: readonly string[]
  readonly rejected: readonly string[]
  readonly messageSize: number
  readonly response: string
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

/** nodemailer tells every command and every reply here, a reply just before it acts on it. */
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
