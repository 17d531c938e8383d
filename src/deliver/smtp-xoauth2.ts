// XOAUTH2, the mechanism of Google and Microsoft for access tokens: one command with the token, and an empty line for the
// server that explains a refusal in a challenge instead of saying it. Here because nodemailer's own fetches tokens itself.
import type { AuthExchange } from './smtp/nodemailer.ts'

/** What nodemailer knows it by. Under its own name nodemailer 10.6 would send the token as a password with PLAIN instead,
 *  where the server offers that first. */
export const XOAUTH2 = 'POPFETCH-XOAUTH2'

export async function xoauth2(exchange: AuthExchange): Promise<void> {
  const { user, pass } = exchange.auth.credentials
  const initial = Buffer.from(`user=${user}\u0001auth=Bearer ${pass}\u0001\u0001`).toString('base64')
  let answer = await exchange.sendCommand(`AUTH XOAUTH2 ${initial}`)
  if (answer.status === 334) answer = await exchange.sendCommand('')
  // What was answered is told from the wire, not from here.
  if (answer.status !== 235) throw new Error('the token was refused')
}
