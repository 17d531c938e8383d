// The contract of a mechanism: one way to sign in, as a row of the table in mechanisms.ts. Pure: no I/O, no base64. The
// session runs it through sign-in.ts. A SASL mechanism (RFC 4422) may serve another protocol than POP3 as well.
import type { Command } from '../wire/command.ts'

export type Credentials =
  | { readonly user: string; readonly password: string }
  /** An OAuth 2.0 access token. */
  | { readonly user: string; readonly token: string }

/** The server as the account names it; OAUTHBEARER sends this (RFC 7628 §3.1). */
export interface Peer {
  readonly host: string
  readonly port: number
}

export interface Server extends Peer {
  /** The bytes of the greeting: APOP needs the timestamp in it. */
  readonly greeting: Buffer
  /** Is the connection under TLS? */
  readonly secure: boolean
}

export type Mechanism = SaslMechanism | CommandMechanism

interface Properties {
  /** The word for `auth` in the configuration. A SASL mechanism's registered name, in lower case. */
  readonly name: string
  /** `auto` prefers the highest rank that the server offers. Null: used only when `auth` names it. */
  readonly rank: number | null
  /** The kind of credentials that it takes. */
  readonly secret: Secret
  /** No secret is sent without TLS unless the account says `tls: none`. What a listener can do with what is sent then. */
  readonly withoutTls: 'reads the secret' | 'tests guesses' | 'computes the secret'
  /** What the user should check when the server refuses these credentials. */
  advice(credentials: Credentials): string
}

export type Secret = 'password' | 'token'

/** AUTH and an exchange of messages (RFC 5034). */
export interface SaslMechanism extends Properties {
  readonly kind: 'sasl'
  /** A new exchange for one sign-in. Throws ERR_CONFIG when the credentials cannot be sent. */
  begin(credentials: Credentials, peer: Peer): SaslExchange
}

/** Plain commands of POP3: USER and PASS, or APOP (RFC 1939 §7). The server need not list them. */
export interface CommandMechanism extends Properties {
  readonly kind: 'commands'
  /** To be sent in this order; the first refusal ends the sign-in. Throws ERR_CONFIG when the credentials cannot be sent, and
   *  ERR_MECHANISM when the server cannot be signed in to like this. */
  commands(credentials: Credentials, server: Server): readonly Command[]
}

/** A small state machine: the server's messages go in, ours come out. */
export interface SaslExchange {
  /** Our first message, which may go along with AUTH if the line stays within 255 octets (RFC 5034 §4). Null: the server
   *  speaks first. */
  readonly initial: Buffer | null
  /** The least number of messages that we send. `+OK` before the last of them is no success (P063, early `+OK`). */
  readonly messages: number
  /** The answer to a challenge. */
  answer(challenge: Buffer): Answer | Promise<Answer>
  /** An error that the server reported within the exchange, safe to print: then even `+OK` is no success. Null: none. */
  readonly complaint: string | null
}

export type Answer = Buffer | Cancel

/** Ends the exchange (P068, cancelling). The reason continues the sentence `sign-in aborted: …`. */
export interface Cancel {
  readonly cancel: string
}

/** For a challenge that this mechanism does not expect (P069 and P072, odd challenges). */
export const misplaced: Cancel = { cancel: 'it answered with a challenge that does not belong to this mechanism' }

export function secretIn(credentials: Credentials): string {
  return 'token' in credentials ? credentials.token : credentials.password
}

/** The same octets however the text was typed: composed characters, and one kind of space (RFC 8265 §4.2, the successor of
 *  SASLprep). A second attempt with the text as typed is never made: it may lock the account (P075, spellings). */
export function opaqueString(text: string): string {
  // Nearly every text is, and needs no table of Unicode.
  if (/^[ -~]*$/.test(text)) return text
  return text.replace(/\p{Zs}/gu, ' ').normalize('NFC')
}
