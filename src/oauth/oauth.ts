// Signing in at a provider by OAuth 2.0, and access tokens for mail servers. This room knows nothing of mail. POP3, IMAP, SMTP
// and the Gmail API only ask it for a token for a client, a user and a use.
//
// This file is the contract. client.ts derives the rest from a client's configuration. provider.ts makes the requests of OAuth
// 2.0, with discovery.ts (endpoints), granted.ts (tokens) and certificate.ts. http.ts sends them. answers.ts puts refusals in
// words. record.ts and store.ts keep sign-ins, and ends.ts knows when they end. sign-ins.ts gives a token, kept or new. In
// flows/ a person signs in, by device code or browser.
//
// The one rule: what a provider gives is durable before it is used. Whenever popfetch is killed, the next poll works without a
// person. The one exception: an answer was lost, and the provider ends a sign-in when an old refresh token comes again.

/** What a token is wanted for. */
export type Use = 'pop' | 'imap' | 'smtp' | 'gmail'

/** A client of the configuration (`oauth:`), with all that it needs. Plain, but for the secrets, which are read when needed. */
export interface Client {
  /** As in the configuration. */
  readonly name: string
  /** A name of the table of providers; null: the endpoints are told below. */
  readonly provider: string | null
  /** The provider's metadata names its endpoints; null: they are given here. */
  readonly issuer: string | null
  readonly endpoints: Endpoints
  readonly clientId: string
  /** Rejects with ERR_SECRET. Null: a client without a secret. */
  readonly clientSecret: (() => Promise<string>) | null
  /** PEM of a certificate and its key, in place of a secret. */
  readonly certificate: (() => Promise<{ readonly certificate: string; readonly key: string }>) | null
  /** When the secret ends; null: it is not known. */
  readonly secretEndsMs: number | null
  readonly tenant: string | null
  /** Null: what the uses below need. */
  readonly scopes: readonly string[] | null
  /** For what accounts and destinations use it. */
  readonly uses: readonly Use[]
  readonly flow: 'auto' | 'device' | 'browser' | 'client-credentials'
  /** Null: any that is free. */
  readonly redirectPort: number | null
}

export interface Endpoints {
  readonly authorization: string | null
  readonly token: string | null
  readonly device: string | null
  readonly revocation: string | null
}

export interface Token {
  /** It serves a minute longer at least, by our clock. Masked from now on in all that popfetch writes. */
  readonly token: string
  /** Tells one sign-in from another: it stays when a token is renewed, and changes when somebody signs in again. */
  readonly signIn: string
}

/** How a sign-in stands. Nothing of it is secret. */
export interface SignInState {
  readonly client: string
  readonly user: string
  /** Null: nobody is signed in. */
  readonly sinceMs: number | null
  /** When it ends, as the provider announced; null: it announced nothing. */
  readonly untilMs: number | null
  /** `none`: never, or signed out. `ended`: somebody has to sign in again. */
  readonly state: 'ok' | 'ends-soon' | 'ended' | 'none'
  /** Why it ended, in words; null: it did not. */
  readonly error: string | null
}

/** The sign-ins of a ledger. Nothing stays open between two calls, so there is nothing to close. */
export interface SignIns {
  /** An access token of `user`'s sign-in by `client`, a name of the configuration, that serves for `use`.
   *
   * A kept token is returned without a request. Otherwise it is renewed, by one process and one caller at a time, and kept
   *  durably before this resolves. `refused`: a token that a server refused although it should serve; where it is still the
   *  kept one, another is asked for.
   *
   *  Rejects with
   *  - ERR_AUTH, `never`: nobody signed in, or the sign-in has ended. Then no request is made, whoever asks, until somebody signs
   *    in again. The text has the likely reason and the command.
   *  - ERR_CONNECT or ERR_TIMEOUT, `soon`: the provider cannot be reached, or is busy.
   *  - ERR_PROVIDER, `later`: its answer is none (HTML, another issuer, too large). ERR_TLS: its certificate is not trusted.
   *  - ERR_CONFIG, ERR_SECRET: the client cannot be used as it is configured.
   *  - ERR_ABORTED after the signal. A renewal that had begun is finished first, within its time limits. */
  tokenFor(request: TokenRequest): Promise<Token>

  /** How the sign-in of `user` by `client` stands. Makes no request. Rejects with ERR_AUTH where its file is not ours. */
  state(client: string, user: string): Promise<SignInState>

  /** Which sign-in it is, without a request and without renewing anything; null: nobody is signed in, or it ended. */
  mark(client: string, user: string): Promise<string | null>
}

export interface TokenRequest {
  readonly client: string
  readonly user: string
  readonly use: Use
  readonly refused: string | null
  readonly signal: AbortSignal
}
