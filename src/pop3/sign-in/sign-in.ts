// Runs one mechanism over a session's queue: plain commands, or AUTH and its exchange (RFC 5034). It sends secrets, so the
// session first checks whether it may. One attempt, and no second mechanism after a refusal: some servers count attempts (P052).
import { command, saslLine } from '../wire/command.ts'
import type { ExchangeQueue } from '../wire/exchange.ts'
import type { Reply } from '../wire/reply.ts'
import {
  type Cancel,
  type CommandMechanism,
  type Credentials,
  type Mechanism,
  misplaced,
  type SaslExchange,
  type SaslMechanism,
  type Server,
} from './mechanism.ts'
import { brokenOff, isUnknownMechanism, refusedMechanism, refusedSignIn, tooLongToRead } from './refusal.ts'

/** Octets of a command line with its CRLF (RFC 2449 §4). */
const COMMAND_LIMIT = 255
/** The longest line of an exchange that Dovecot and others read (P066, long lines). */
const LINE_LIMIT = 8192
/** More than any mechanism takes. */
const STEP_LIMIT = 10
const EMPTY = Buffer.alloc(0)

/** Resolves when the server has accepted the sign-in. Rejects with ERR_AUTH when it clearly refuses, ERR_POP3_REPLY when it is
 *  busy, ERR_MECHANISM when it does not know the mechanism. With ERR_POP3_PROTOCOL when it cannot be trusted, ERR_CONFIG when
 *  the credentials cannot be sent. */
export async function signInWith(
  queue: ExchangeQueue,
  mechanism: Mechanism,
  credentials: Credentials,
  server: Server,
): Promise<void> {
  if (mechanism.kind === 'commands') await sendCommands(queue, mechanism, credentials, server)
  else await authenticate(queue, mechanism, credentials, server)
}

async function sendCommands(
  queue: ExchangeQueue,
  mechanism: CommandMechanism,
  credentials: Credentials,
  server: Server,
): Promise<void> {
  for (const next of mechanism.commands(credentials, server)) {
    const reply = await queue.run(next, 'step')
    if (reply.status === 'ok') continue
    throw refusedSignIn(mechanism.name, reply, { advice: mechanism.advice(credentials), complaint: null, ...server })
  }
}

async function authenticate(
  queue: ExchangeQueue,
  mechanism: SaslMechanism,
  credentials: Credentials,
  server: Server,
): Promise<void> {
  const { name } = mechanism
  const exchange = mechanism.begin(credentials, server)
  const auth = name.toUpperCase()
  const initial = exchange.initial?.toString('base64')
  // The initial response goes along only when the line keeps to the limit (RFC 5034 §4, P066).
  const fits = initial !== undefined && `AUTH ${auth} ${initial}\r\n`.length <= COMMAND_LIMIT
  let sent = fits ? 1 : 0
  let longest = 0
  let reply = await queue.run(fits ? command('AUTH', auth, initial) : command('AUTH', auth), 'sasl')
  // Nothing about the user was sent yet, so this is no verdict on the password.
  if (reply.status === 'err' && reply.code === null && (sent === 0 || isUnknownMechanism(reply)))
    throw refusedMechanism(name, reply)
  // `+OK` before our last message is no success: Exchange 2003 uses it to ask for more (P063).
  while (reply.status === 'continue' || (reply.status === 'ok' && sent < exchange.messages)) {
    const answer = sent > STEP_LIMIT ? misplaced : await answerTo(reply, exchange)
    const line = saslLine(Buffer.isBuffer(answer) ? answer : '*')
    longest = Math.max(longest, line.length)
    reply = await queue.runSasl(line)
    sent++
    if (!Buffer.isBuffer(answer)) throw brokenOff(name, reply, answer.cancel)
  }
  const { complaint } = exchange
  if (reply.status === 'ok' && complaint === null) return
  if (reply.status === 'ok') throw brokenOff(name, reply, `it says yes and no at the same time (${complaint})`)
  if (complaint === null && longest > LINE_LIMIT) throw tooLongToRead(reply, longest)
  throw refusedSignIn(name, reply, { advice: mechanism.advice(credentials), complaint, ...server })
}

function answerTo(reply: Reply, exchange: SaslExchange) {
  const challenge = reply.status === 'ok' ? EMPTY : decodeBase64(reply.rest)
  return challenge === null ? notBase64 : exchange.answer(challenge)
}

const notBase64: Cancel = { cancel: 'it answered with a challenge that is not base64' }

/** Null for anything but strict base64 of a moderate length (P072, odd challenges). */
function decodeBase64(text: Buffer): Buffer | null {
  const encoded = text.toString('latin1')
  if (encoded.length > 4096 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return null
  return Buffer.from(encoded, 'base64')
}
