// What a SASL mechanism is here (RFC 4422): a small state machine, payloads in, payloads out. No I/O, no base64.
// The mechanisms and the choice between them: sasl.ts. Driving one over a session: sign-in.ts.
export type Credentials =
  | { readonly user: string; readonly password: string }
  /** An OAuth 2.0 access token. */
  | { readonly user: string; readonly token: string }

/** Whom we speak to; OAUTHBEARER names it (RFC 7628 §3.1). */
export interface Peer {
  readonly host: string
  readonly port: number
}

/** The exchange is to be cancelled, and why: `sign-in broken off: …` (P068). */
export interface Cancel {
  readonly cancel: string
}

export type Answer = Buffer | Cancel

export interface Mechanism {
  /** As in `AUTH NAME`. */
  readonly name: string
  /** May go along with AUTH, when the line stays within 255 octets (RFC 5034 §4); null: the server speaks first. */
  readonly initial: Buffer | null
  /** How many messages of ours it takes at least; `+OK` before the last of them is no success (P063). */
  readonly messages: number
  /** The answer to a challenge. */
  answer(challenge: Buffer): Answer | Promise<Answer>
  /** What the server said against us within the exchange, safe to print: then not even `+OK` counts. Null: nothing. */
  readonly complaint: string | null
}

/** P069, P072: not what this mechanism expects. */
export const misplaced: Cancel = { cancel: 'it answered with a challenge that does not belong to this mechanism' }

export function secretOf(credentials: Credentials): string {
  return 'token' in credentials ? credentials.token : credentials.password
}

/** Composed characters, however they were typed, and one kind of space (RFC 8265 §4.2, which took the place of SASLprep).
 *  Done once, never undone to try again: a second attempt may lock the account (P075). */
export function opaqueString(text: string): string {
  return text.replace(/\p{Zs}/gu, ' ').normalize('NFC')
}
