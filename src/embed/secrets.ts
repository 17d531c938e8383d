// Secrets, as an embedding program writes them.

/** Where a secret is to be had, just before each use. It is never kept by popfetch, and masked in everything that it writes. A
 *  function is called each time; it may be asynchronous, has 30 seconds, and rejects for "not now". */
export type SecretInput =
  | string
  | SecretReader
  | { readonly env: string }
  | { readonly file: string }
  | { readonly command: string | readonly [program: string, ...argument: readonly string[]] }
  | { readonly credential: string }
  | { readonly keyring: string }

/** `signal` is aborted when nobody waits for the secret any more. */
export type SecretReader = (asked: { readonly signal: AbortSignal }) => string | Promise<string>

/** An access token may also come from a sign-in that `popfetch auth` made; the client is one of `oauth`. */
export type TokenInput = SecretInput | { readonly oauth: string }
