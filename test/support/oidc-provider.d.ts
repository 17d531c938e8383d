// The little that our tests use of oidc-provider, which brings no types.
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export class Provider {
    constructor(issuer: string, configuration: object)
    callback(): (request: IncomingMessage, response: ServerResponse) => void
    on(
      event: 'refresh_token.saved',
      listener: (token: { readonly accountId: string; readonly jti: string }) => void,
    ): this
    on(event: string, listener: (...facts: readonly unknown[]) => void): this
  }
}
