// What a refusal means: -ERR lines → errors. Response codes decide (RFC 2449 §8, RFC 3206); without one, words may only
// soften a refused password into "busy", never the other way (P058, P059).
import { PopfetchError, type Retry } from '../../errors.ts'
import { codeIs, type Reply } from './reply.ts'
import type { SignIn } from '../sign-in/sasl.ts'

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

export function refusedTls(reply: Reply): PopfetchError {
  return new PopfetchError(
    'ERR_TLS',
    `the server refused STLS: "${reply.text}": without TLS no password is sent; try tls: implicit (port 995)`,
    { scope: 'account', retry: 'later' },
  )
}

/** `-ERR` that no command asked for: servers say goodbye so when they shut down or had to wait for us (P146). */
export function farewell(reply: Reply): PopfetchError {
  const expired = expiredToken(reply)
  if (expired !== null) return expired
  return new PopfetchError('ERR_POP3_REPLY', `the server ended the session: "${reply.text}": trying again later`, {
    scope: 'account',
    retry: retryOf(reply),
    pauseMs: pauseOf(reply),
  })
}

/** The access token is not valid any more, in mid-session: with a fresh one a new session can go on (P077). */
export class ExpiredToken extends PopfetchError {
  override readonly name: string = 'ExpiredToken'
}

/** Exchange: `AccessTokenExpired`; Gmail says so when it closes a session that was signed in with a token. */
const EXPIRED = /AccessTokenExpired|\btoken\b.{0,40}\bexpired\b|\bsession expired\b/i

export function expiredToken(reply: Reply): ExpiredToken | null {
  if (reply.status !== 'err' || !EXPIRED.test(reply.text)) return null
  return new ExpiredToken('ERR_POP3_REPLY', `the server ended the session: "${reply.text}": signing in anew helps`, {
    scope: 'account',
    retry: 'soon',
  })
}

/** Something that a person has to do at the provider first; asking again sooner only makes it worse (P060). */
const GUARDED = /\bWEBALERT\b|web ?login required|lockdown/i

/** A sign-in that was answered with `-ERR`. `advice` replaces the usual one; `complaint` is what the mechanism was told. */
export function refusedSignIn(
  signIn: SignIn,
  reply: Reply,
  advice = adviceFor(signIn),
  complaint: string | null = null,
): PopfetchError {
  const said = complaint === null ? `"${reply.text}"` : `"${reply.text}" (${complaint})`
  const isGuarded = GUARDED.test(reply.text)
  if (isBusy(reply) && !isGuarded) return notNow(said, reply)
  if (codeIs(reply.code, 'REFERRAL')) {
    // Never followed: whoever answers here would choose who gets the password (P079).
    return new PopfetchError(
      'ERR_CONFIG',
      `sign-in refused (${signIn}): the mailbox is on another server: ${said}: set host, if this is yours`,
      { scope: 'account', retry: 'never' },
    )
  }
  return new PopfetchError('ERR_AUTH', `sign-in refused (${signIn}): ${said}: ${advice}`, {
    scope: 'account',
    retry: 'later',
    ...(isGuarded ? { pauseMs: 60 * MINUTE_MS } : {}),
  })
}

function adviceFor(signIn: SignIn): string {
  switch (signIn) {
    case 'xoauth2':
    case 'oauthbearer':
      return 'check user, and that the token is fresh, for this mailbox, and allows POP'
    case 'scram-sha-256':
    case 'scram-sha-1':
    case 'cram-md5':
    case 'apop':
      return 'check user and password; a server that keeps passwords in another form needs auth: plain'
    case 'plain':
    case 'login':
    case 'user':
      return 'check user and password; some providers want an app password, or POP switched on first'
  }
}

function notNow(said: string, reply: Reply): PopfetchError {
  return new PopfetchError('ERR_POP3_REPLY', `the server does not let us in now: ${said}`, {
    scope: 'account',
    retry: retryOf(reply),
    pauseMs: pauseOf(reply),
  })
}

/** AUTH itself was refused, before it came to a secret: no word about the password. */
export function refusedMechanism(signIn: SignIn, reply: Reply): PopfetchError {
  if (isBusy(reply)) return notNow(`"${reply.text}"`, reply)
  return new PopfetchError(
    'ERR_MECHANISM',
    `the server does not take the sign-in mechanism ${signIn}: "${reply.text}": change auth`,
    { scope: 'account', retry: 'later' },
  )
}

/** We ended the exchange, because the server was not to be trusted or understood: no word about the password either. */
export function brokenOff(signIn: SignIn, reply: Reply, why: string): PopfetchError {
  if (isBusy(reply)) return notNow(`"${reply.text}"`, reply)
  return new PopfetchError(
    'ERR_POP3_PROTOCOL',
    `sign-in broken off (${signIn}): ${why}: not going on; another auth may do`,
    { scope: 'account', retry: 'later' },
  )
}
