// Signing in over a session's queue: USER and PASS, APOP (RFC 1939 §7), or AUTH and its exchange (RFC 5034). Sends secrets:
// the session asks first whether it may. One attempt, no second mechanism after a refusal: some servers count (P052).
import { PopfetchError } from '../../errors.ts'
import { command, saslLine } from '../wire/command.ts'
import { apopDigest, apopTimestamp } from './md5.ts'
import type { ExchangeQueue } from '../wire/exchange.ts'
import { type Cancel, type Credentials, type Mechanism, misplaced, type Peer, secretOf } from './mechanism.ts'
import type { Reply } from '../wire/reply.ts'
import { brokenOff, refusedMechanism, refusedSignIn } from '../wire/reply-error.ts'
import { mechanism, type SaslName, type SignIn } from './sasl.ts'

/** Octets of a command line with its CRLF (RFC 2449 §4). */
const COMMAND_LIMIT = 255
/** RFC 1939 §3, and popa3d (P076). */
const ARGUMENT_LIMIT = 40
/** What Dovecot and others read of one line of an exchange (P066). */
const LINE_LIMIT = 8192
/** More than any mechanism takes. */
const STEP_LIMIT = 10
const EMPTY = Buffer.alloc(0)

/** Whom we sign in to. */
export interface Server extends Peer {
  /** The greeting's own bytes: APOP wants its timestamp. */
  readonly greeting: Buffer
}

/** Resolves when the server let us in. Rejects with ERR_AUTH when it clearly refuses, ERR_POP3_REPLY when it is busy,
 *  ERR_MECHANISM when it does not know the mechanism, ERR_POP3_PROTOCOL when it was not to be trusted, ERR_CONFIG for what
 *  cannot be sent. */
export async function signInWith(
  queue: ExchangeQueue,
  signIn: SignIn,
  credentials: Credentials,
  server: Server,
): Promise<void> {
  if (signIn === 'user') await userAndPass(queue, credentials)
  else if (signIn === 'apop') await apop(queue, credentials, server)
  else await authenticate(queue, signIn, mechanism(signIn, credentials, server))
}

async function userAndPass(queue: ExchangeQueue, credentials: Credentials): Promise<void> {
  const user = credentials.user.normalize('NFC')
  // Both made before either is sent: a password that cannot be sent must not leave a session half signed in (P073).
  const commands = [command('USER', user), command('PASS', secretOf(credentials).normalize('NFC'))] as const
  const first = await queue.run(commands[0], 'step')
  // Without PASS: the server has said what it thinks of this user (P051).
  const reply = first.status === 'ok' ? await queue.run(commands[1], 'step') : first
  if (reply.status === 'ok') return
  const tooLong = Buffer.byteLength(user) > ARGUMENT_LIMIT
  const hint = `this user name is longer than the ${ARGUMENT_LIMIT} octets that some servers take: try auth: plain`
  throw refusedSignIn('user', reply, tooLong ? hint : undefined)
}

async function apop(queue: ExchangeQueue, credentials: Credentials, { greeting }: Server): Promise<void> {
  const timestamp = apopTimestamp(greeting)
  if (timestamp === null) {
    throw new PopfetchError(
      'ERR_MECHANISM',
      'the server greets without one plain timestamp, which APOP needs: change auth',
      { scope: 'account', retry: 'never' },
    )
  }
  const user = credentials.user.normalize('NFC')
  const reply = await queue.run(command('APOP', user, apopDigest(timestamp, credentials)), 'step')
  if (reply.status !== 'ok') throw refusedSignIn('apop', reply)
}

async function authenticate(queue: ExchangeQueue, signIn: SaslName, sasl: Mechanism): Promise<void> {
  const initial = sasl.initial?.toString('base64')
  // With the initial response only where the line keeps to the limit (RFC 5034 §4, P066).
  const fits = initial !== undefined && `AUTH ${sasl.name} ${initial}\r\n`.length <= COMMAND_LIMIT
  let sent = fits ? 1 : 0
  let longest = 0
  let reply = await queue.run(fits ? command('AUTH', sasl.name, initial) : command('AUTH', sasl.name), 'sasl')
  // Not a word about us was sent yet: this is not about our password.
  if (reply.status === 'err' && sent === 0 && reply.code === null) throw refusedMechanism(signIn, reply)
  // `+OK` before we have said all there is to say is no success; Exchange 2003 asks with it for more (P063).
  while (reply.status === 'continue' || (reply.status === 'ok' && sent < sasl.messages)) {
    const answer = sent > STEP_LIMIT ? misplaced : await answerTo(reply, sasl)
    const line = saslLine(Buffer.isBuffer(answer) ? answer : '*')
    longest = Math.max(longest, line.length)
    reply = await queue.runSasl(line)
    sent++
    if (!Buffer.isBuffer(answer)) throw brokenOff(signIn, reply, answer.cancel)
  }
  const { complaint } = sasl
  if (reply.status === 'ok' && complaint === null) return
  if (reply.status === 'ok') throw brokenOff(signIn, reply, `it says yes and no at once (${complaint})`)
  if (complaint === null && longest > LINE_LIMIT) throw tooLong(reply, longest)
  throw refusedSignIn(signIn, reply, undefined, complaint)
}

function answerTo(reply: Reply, sasl: Mechanism) {
  const challenge = reply.status === 'ok' ? EMPTY : decodeBase64(reply.rest)
  return challenge === null ? notBase64 : sasl.answer(challenge)
}

const notBase64: Cancel = { cancel: 'it answered with a challenge that is not base64' }

/** Strict (P072); null for anything else. */
function decodeBase64(text: Buffer): Buffer | null {
  const encoded = text.toString('latin1')
  if (encoded.length > 4096 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return null
  return Buffer.from(encoded, 'base64')
}

/** P066: not a bad password. */
function tooLong(reply: Reply, octets: number): PopfetchError {
  return new PopfetchError(
    'ERR_CONFIG',
    `sign-in refused: "${reply.text}": the secret makes a line of ${octets} octets, more than many servers read: ask the provider for a shorter token`,
    { scope: 'account', retry: 'never' },
  )
}
