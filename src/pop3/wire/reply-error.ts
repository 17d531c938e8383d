// What `-ERR` to a command means → errors. Response codes decide (RFC 2449 §8, RFC 3206). Without a code the words decide, but
// only ever in favour of "busy": they never turn "busy" into a refusal (P058, P059, busy in words). Sign-in: sign-in/refusal.ts.
import { PopfetchError, type Retry } from '../../errors.ts'
import { codeIs, type Reply } from './reply.ts'

/** Busy, locked or limited, in the words of servers without response codes (P058, P059, P060). */
const BUSY = /\b(?:lock|busy|wait|in use|unavailable|too many|try again (?:later|in)|temporar|exceed|limit|concurrent)/i
/** A limit on how often: come back after a longer pause. */
const LIMITED = /\b(?:exceed|limit|too many|minute)/i

const BUSY_CODES = ['IN-USE', 'LOGIN-DELAY', 'SYS/TEMP']

const MINUTE_MS = 60_000

/** When to come back after a refusal. `pauseMs`: how long the server wants to be left alone, 0 when it did not say. */
export function retryAndPause(reply: Reply): { readonly retry: Retry; readonly pauseMs: number } {
  return { retry: retryOf(reply), pauseMs: pauseOf(reply) }
}

/** P055, P056, P059: locked, too often, over a limit. */
function pauseOf(reply: Reply): number {
  if (codeIs(reply.code, 'IN-USE')) return 3 * MINUTE_MS
  if (codeIs(reply.code, 'LOGIN-DELAY')) return MINUTE_MS
  const isLimit = reply.code === null || codeIs(reply.code, 'SYS/TEMP')
  return isLimit && LIMITED.test(reply.text) ? 15 * MINUTE_MS : 0
}

function retryOf(reply: Reply): Retry {
  if (codeIs(reply.code, 'LOGIN-DELAY') || LIMITED.test(reply.text)) return 'later'
  return codeIs(reply.code, 'SYS/PERM') ? 'later' : 'soon'
}

/** Is the refusal temporary, rather than an answer to the request? Judged by the code, otherwise by the words. */
export function isBusy(reply: Reply): boolean {
  if (reply.code === null) return BUSY.test(reply.text)
  return BUSY_CODES.some((code) => codeIs(reply.code, code))
}

/** `doing`: the command, or what else was refused. */
export function replyError(doing: string, reply: Reply): PopfetchError {
  return new PopfetchError('ERR_POP3_REPLY', `the server refused ${doing}: "${reply.text}"`, {
    scope: 'account',
    ...retryAndPause(reply),
  })
}

export function refusedTls(reply: Reply): PopfetchError {
  return new PopfetchError(
    'ERR_TLS',
    `the server refused STLS: "${reply.text}": without TLS no password is sent; try tls: implicit (port 995)`,
    { scope: 'account', retry: 'later' },
  )
}

/** For an `-ERR` that answers no command: the goodbye of a server that shuts down or is tired of waiting (P146, farewells). */
export function farewell(reply: Reply): PopfetchError {
  const expired = expiredToken(reply)
  if (expired !== null) return expired
  return new PopfetchError('ERR_POP3_REPLY', `the server ended the session: "${reply.text}": trying again later`, {
    scope: 'account',
    ...retryAndPause(reply),
  })
}

/** The access token expired during the session. A new session with a fresh token can go on (P077, expired tokens). */
export class ExpiredToken extends PopfetchError {
  override readonly name: string = 'ExpiredToken'
}

/** Exchange says `AccessTokenExpired`; Gmail says "session expired" when it closes a session signed in with a token. */
const EXPIRED = /AccessTokenExpired|\btoken\b.{0,40}\bexpired\b|\bsession expired\b/i

/** Null: the reply says nothing of the kind. */
export function expiredToken(reply: Reply): ExpiredToken | null {
  if (reply.status !== 'err' || !EXPIRED.test(reply.text)) return null
  return new ExpiredToken('ERR_POP3_REPLY', `the server ended the session: "${reply.text}": sign in again`, {
    scope: 'account',
    retry: 'soon',
  })
}
