// What a refusal means: -ERR lines → errors. Response codes decide (RFC 2449 §8, RFC 3206); without one, words may only
// soften a refused password into "busy", never the other way (P058, P059).
import { PopfetchError, type Retry } from '../errors.ts'
import { codeIs, type Reply } from './reply.ts'
import type { SignIn } from './sasl.ts'

/** Busy, locked or limited, in the words of servers without response codes (P058, P059, P060). */
const BUSY = /\b(?:lock|busy|wait|in use|unavailable|too many|try again (?:later|in)|temporar|exceed|limit|concurrent)/i
/** Limits on how often: come back after a longer pause. */
const LIMITED = /\b(?:exceed|limit|too many|minute)/i

const BUSY_CODES = ['IN-USE', 'LOGIN-DELAY', 'SYS/TEMP']

const MINUTE_MS = 60_000

/** How long the server wants to be left alone (P055, P056, P059); 0: it did not say. */
function pauseOf(reply: Reply): number {
  if (codeIs(reply.code, 'IN-USE')) return 3 * MINUTE_MS
  if (codeIs(reply.code, 'LOGIN-DELAY')) return MINUTE_MS
  return reply.code === null && LIMITED.test(reply.text) ? 15 * MINUTE_MS : 0
}

/** When to come back after a refusal of any command but a sign-in. */
function retryOf(reply: Reply): Retry {
  if (codeIs(reply.code, 'LOGIN-DELAY') || LIMITED.test(reply.text)) return 'later'
  return codeIs(reply.code, 'SYS/PERM') ? 'later' : 'soon'
}

/** Does a refusal speak of now, not of what was asked? By its code, or in the words of a server without codes. */
export function isBusy(reply: Reply): boolean {
  if (reply.code === null) return BUSY.test(reply.text)
  return BUSY_CODES.some((code) => codeIs(reply.code, code))
}

export function replyError(doing: string, reply: Reply): PopfetchError {
  return new PopfetchError('ERR_POP3_REPLY', `the server refused ${doing}: "${reply.text}"`, {
    scope: 'account',
    retry: retryOf(reply),
    pauseMs: pauseOf(reply),
  })
}

/** `-ERR` that no command asked for: servers say goodbye so when they shut down or had to wait for us (P146). */
export function farewell(reply: Reply): PopfetchError {
  return new PopfetchError('ERR_POP3_REPLY', `the server ended the session: "${reply.text}": trying again later`, {
    scope: 'account',
    retry: retryOf(reply),
    pauseMs: pauseOf(reply),
  })
}

/** A sign-in that was answered with anything but `+OK`. `why` replaces the server's own words. */
export function refusedSignIn(signIn: SignIn, reply: Reply, why?: string): PopfetchError {
  const said = why ?? `"${reply.text}"`
  if (isBusy(reply)) {
    return new PopfetchError('ERR_POP3_REPLY', `the server does not let us in now: ${said}`, {
      scope: 'account',
      retry: retryOf(reply),
      pauseMs: pauseOf(reply),
    })
  }
  return new PopfetchError(
    'ERR_AUTH',
    `sign-in refused (${signIn}): ${said}: check user and password; some providers want an app password, or POP switched on first`,
    { scope: 'account', retry: 'later' },
  )
}
