// Signing in over a session's queue: USER and PASS (RFC 1939 §7), or AUTH and its exchange (RFC 5034). Sends secrets: the
// session asks first whether it may. One attempt, no second mechanism after a refusal: some servers count (P052).
import { command, saslLine } from './command.ts'
import type { ExchangeQueue } from './exchange.ts'
import type { Reply } from './reply.ts'
import { refusedSignIn } from './reply-error.ts'
import { type Credentials, mechanism, type SignIn } from './sasl.ts'

/** Octets of a command line with its CRLF (RFC 2449 §4). */
const COMMAND_LIMIT = 255
/** More than any mechanism takes. */
const STEP_LIMIT = 10
const EMPTY = Buffer.alloc(0)

/** The server's last word, whatever it is. Rejects when the session is botched, with ERR_AUTH or ERR_POP3_REPLY when the
 *  exchange ended before the secret was sent. */
export async function signInWith(queue: ExchangeQueue, signIn: SignIn, credentials: Credentials): Promise<Reply> {
  return signIn === 'user' ? await userAndPass(queue, credentials) : await authenticate(queue, signIn, credentials)
}

async function userAndPass(queue: ExchangeQueue, { user, password }: Credentials): Promise<Reply> {
  // Both made before either is sent: a password that cannot be sent must not leave a session half signed in (P073).
  const commands = [command('USER', user), command('PASS', password)] as const
  const first = await queue.run(commands[0], 'step')
  // Without PASS: the server has said what it thinks of this user (P051).
  return first.status === 'ok' ? await queue.run(commands[1], 'step') : first
}

async function authenticate(
  queue: ExchangeQueue,
  signIn: Exclude<SignIn, 'user'>,
  credentials: Credentials,
): Promise<Reply> {
  const sasl = mechanism(signIn, credentials)
  const initial = sasl.initial?.toString('base64')
  // With the initial response only where the line keeps to the limit (RFC 5034 §4, P066).
  const fits = initial !== undefined && `AUTH ${sasl.name} ${initial}\r\n`.length <= COMMAND_LIMIT
  let sent = fits ? 1 : 0
  let reply = await queue.run(fits ? command('AUTH', sasl.name, initial) : command('AUTH', sasl.name), 'sasl')
  // `+OK` before we have said all there is to say is no success; Exchange 2003 asks with it for more (P063).
  while (reply.status === 'continue' || (reply.status === 'ok' && sent < sasl.messages)) {
    const challenge = reply.status === 'ok' ? EMPTY : decodeBase64(reply.rest)
    const answer = challenge === null || sent > STEP_LIMIT ? null : sasl.answer(challenge)
    reply = await queue.runSasl(saslLine(answer ?? '*'))
    sent++
    if (answer === null)
      throw refusedSignIn(signIn, reply, 'it answered with a challenge that does not belong to this mechanism')
  }
  return reply
}

/** Strict (P072); null for anything else. */
function decodeBase64(text: Buffer): Buffer | null {
  const encoded = text.toString('latin1')
  if (encoded.length > 4096 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return null
  return Buffer.from(encoded, 'base64')
}
