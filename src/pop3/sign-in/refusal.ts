// The ways in which a sign-in can fail → errors: refused, busy, mechanism unknown, or broken off by us. Only ERR_AUTH is a
// verdict on the credentials.
import { PopfetchError } from '../../errors.ts'
import { codeIs, type Reply } from '../wire/reply.ts'
import { isBusy, retryAndPause } from '../wire/reply-error.ts'

/** The user must act at the provider first; trying again sooner makes it worse (P060, guarded accounts). */
const GUARDED = /\bWEBALERT\b|web ?login required|lockdown/i
const GUARDED_PAUSE_MS = 3_600_000

/** No verdict on the password: it is not to be sent without TLS (P170). */
const WANTS_TLS =
  /(?:plain ?text|clear ?text).{0,40}disallowed|non-?secure|insecure|(?:ssl|tls|stls|encryption).{0,20}required/i
/** The line was refused for the mechanism that it names, unread otherwise (P170). */
const UNKNOWN_MECHANISM =
  /(?:unrecogni[sz]ed|unknown|unsupported|not supported|no such|invalid).{0,20}(?:auth\w* type|mechanism)|(?:auth\w* type|mechanism).{0,20}(?:unrecogni[sz]ed|unknown|unsupported|not supported)/i

export interface Refusal {
  readonly advice: string
  /** What the server said within a SASL exchange; null: nothing. */
  readonly complaint: string | null
  /** Was the connection under TLS? */
  readonly secure: boolean
}

/** The server answered the sign-in with `-ERR`. */
export function refusedSignIn(mechanism: string, reply: Reply, { advice, complaint, secure }: Refusal): PopfetchError {
  const said = complaint === null ? `"${reply.text}"` : `"${reply.text}" (${complaint})`
  const isGuarded = GUARDED.test(reply.text)
  if (isBusy(reply) && !isGuarded) return notNow(said, reply)
  if (codeIs(reply.code, 'REFERRAL')) {
    // Never followed: otherwise whoever answers here could choose who gets the password (P079, referrals).
    return new PopfetchError(
      'ERR_CONFIG',
      `sign-in refused (${mechanism}): the mailbox is on another server: ${said}: set host, if this is yours`,
      { scope: 'account', retry: 'never' },
    )
  }
  if (!secure && WANTS_TLS.test(reply.text)) {
    const text = `sign-in refused (${mechanism}): ${said}: set tls to starttls, or to implicit (port 995)`
    return new PopfetchError('ERR_TLS', text, { scope: 'account', retry: 'never' })
  }
  return new PopfetchError('ERR_AUTH', `sign-in refused (${mechanism}): ${said}: ${advice}`, {
    scope: 'account',
    retry: 'later',
    ...(isGuarded ? { pauseMs: GUARDED_PAUSE_MS } : {}),
  })
}

function notNow(said: string, reply: Reply): PopfetchError {
  return new PopfetchError('ERR_POP3_REPLY', `the server refused the sign-in for now: ${said}`, {
    scope: 'account',
    ...retryAndPause(reply),
  })
}

/** AUTH itself was refused, before any secret was sent: no verdict on the password. */
export function refusedMechanism(mechanism: string, reply: Reply): PopfetchError {
  if (isBusy(reply)) return notNow(`"${reply.text}"`, reply)
  return new UnknownMechanism(
    'ERR_MECHANISM',
    `the server does not accept the sign-in mechanism ${mechanism}: "${reply.text}": change auth`,
    { scope: 'account', retry: 'later' },
  )
}

/** A mechanism that the server listed, perhaps, and does not know. */
export class UnknownMechanism extends PopfetchError {
  override readonly name: string = 'UnknownMechanism'
}

/** Does the server say so in words, though credentials came along? */
export function isUnknownMechanism(reply: Reply): boolean {
  return UNKNOWN_MECHANISM.test(reply.text)
}

/** We ended the exchange because the server could not be trusted or understood: no verdict on the password either. */
export function brokenOff(mechanism: string, reply: Reply, why: string): PopfetchError {
  if (isBusy(reply)) return notNow(`"${reply.text}"`, reply)
  return new PopfetchError(
    'ERR_POP3_PROTOCOL',
    `sign-in aborted (${mechanism}): ${why}: stopping here; another auth may work`,
    { scope: 'account', retry: 'later' },
  )
}

/** Our line was longer than many servers read: probably no verdict on the secret (P066, long lines). */
export function tooLongToRead(reply: Reply, octets: number): PopfetchError {
  return new PopfetchError(
    'ERR_CONFIG',
    `sign-in refused: "${reply.text}": the secret makes a line of ${octets} octets, more than many servers read: ask the provider for a shorter token`,
    { scope: 'account', retry: 'never' },
  )
}
