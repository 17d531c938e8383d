// Signing in with an access token: XOAUTH2 of Google and Microsoft, and OAUTHBEARER (RFC 7628). Both are one command with the token;
// a server may explain a refusal in a challenge, which is answered before it refuses (P067, refused tokens). Done here, because
// nodemailer's own XOAUTH2 fetches tokens by itself.
import type { AuthExchange } from './nodemailer.ts'

export type TokenMechanism = 'XOAUTH2' | 'OAUTHBEARER'

export interface Server {
  readonly host: string
  readonly port: number
}

/** Our names for them in nodemailer. Under their own names nodemailer 10.6 would send the token as a password with PLAIN, where
 *  the server offers that first. */
export const TOKEN_METHODS: Readonly<Record<TokenMechanism, string>> = {
  XOAUTH2: 'POPFETCH-XOAUTH2',
  OAUTHBEARER: 'POPFETCH-OAUTHBEARER',
}

export function isTokenMechanism(name: string): name is TokenMechanism {
  return Object.hasOwn(TOKEN_METHODS, name)
}

/** What nodemailer calls for them. */
export function tokenMethods(server: Server): Readonly<Record<string, (exchange: AuthExchange) => Promise<void>>> {
  return {
    [TOKEN_METHODS.XOAUTH2]: async (exchange) => {
      const { user, pass } = exchange.auth.credentials
      await bearer(exchange, 'XOAUTH2', { message: `user=${user}\u0001auth=Bearer ${pass}\u0001\u0001`, close: '' })
    },
    [TOKEN_METHODS.OAUTHBEARER]: async (exchange) => {
      const { user, pass } = exchange.auth.credentials
      const identity = user.replaceAll('=', '=3D').replaceAll(',', '=2C')
      const fields = [`n,a=${identity},`, `host=${server.host}`, `port=${server.port}`, `auth=Bearer ${pass}`, '', '']
      await bearer(exchange, 'OAUTHBEARER', { message: fields.join('\u0001'), close: 'AQ==' })
    },
  }
}

/** `close`: what answers the challenge that explains a refusal (RFC 7628 §3.2.3). */
async function bearer(
  exchange: AuthExchange,
  name: TokenMechanism,
  { message, close }: { readonly message: string; readonly close: string },
): Promise<void> {
  let answer = await exchange.sendCommand(`AUTH ${name} ${Buffer.from(message).toString('base64')}`)
  if (answer.status === 334) answer = await exchange.sendCommand(close)
  // The server's words come from the conversation, not from this error.
  if (answer.status !== 235) throw new Error('the token was refused')
}
