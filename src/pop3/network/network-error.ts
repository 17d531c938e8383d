// Failures on the way to a POP3 server → errors that say what was tried, what happened, and what to do.
import { display } from '../../display.ts'
import { errnoOf, PopfetchError } from '../../errors.ts'

export function abortedError(doing: string): PopfetchError {
  return new PopfetchError('ERR_ABORTED', `${doing} was interrupted`, { scope: 'account', retry: 'soon' })
}

export function timedOut(doing: string, timeoutMs: number, hint: string): PopfetchError {
  return new PopfetchError('ERR_TIMEOUT', `${doing} took longer than ${timeoutMs / 1000} s: ${hint}`, {
    scope: 'account',
    retry: 'soon',
  })
}

/** The error of a server that did not greet, which names the port's usual mode where another one is set. */
export function ungreeted(
  error: unknown,
  { host, port, tlsMode, timeoutMs }: { host: string; port: number; tlsMode: string; timeoutMs: number },
): unknown {
  const isSilent = error instanceof PopfetchError && (error.code === 'ERR_TIMEOUT' || error.code === 'ERR_CONNECT')
  if (!isSilent || port === 110 || tlsMode === 'implicit') return error
  const { code, scope, retry } = error
  if (port !== 995) {
    if (code !== 'ERR_TIMEOUT') return error
    const text = `${host}:${port} sent no complete greeting within ${timeoutMs / 1000} s: it is slow, hangs, or waits for TLS from the first byte: is tls: implicit meant?`
    return new PopfetchError(code, text, { scope, retry, cause: error })
  }
  const text = `${host}:${port} sent no greeting: port 995 wants tls: implicit`
  return new PopfetchError(code, text, { scope, retry, cause: error })
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: is the port right, is the server up?',
  ENOTFOUND: 'no such host: is the host name right?',
  EAI_AGAIN: 'the name could not be looked up: is the network up?',
  EHOSTUNREACH: 'no route to the host: is the network up?',
  ENETUNREACH: 'the network cannot be reached: is it up?',
  ETIMEDOUT: 'no answer: is the network up?',
  ECONNRESET: 'the server reset the connection: it may be busy or limit connections',
  EPIPE: 'the server closed the connection',
}

/** When several addresses were tried, each has its own error (P004). */
function firstOf(cause: unknown): unknown {
  return cause instanceof AggregateError ? cause.errors.at(-1) : cause
}

function reasonOf(cause: unknown): string {
  const first = firstOf(cause)
  const errno = errnoOf(first) ?? errnoOf(cause)
  const text = first instanceof Error ? display(first.message) : 'unknown reason'
  return errno === null ? text : `${reasons[errno] ?? text} (${errno})`
}

/** A name that no host has does not get one in a minute. */
export function connectError(cause: unknown, peer: string): PopfetchError {
  return new PopfetchError('ERR_CONNECT', `cannot connect to ${peer}: ${reasonOf(cause)}`, {
    scope: 'account',
    retry: errnoOf(firstOf(cause)) === 'ENOTFOUND' ? 'later' : 'soon',
    cause,
  })
}

export function lostError(cause: unknown, host: string, port: number): PopfetchError {
  return new PopfetchError('ERR_CONNECT', `the connection to ${host}:${port} was lost: ${reasonOf(cause)}`, {
    scope: 'account',
    retry: 'soon',
    cause,
  })
}

const certificateReasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired: its owner must renew it',
  CERT_NOT_YET_VALID: "its certificate is not valid yet: is this machine's clock right?",
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: check it, then set ca or pin for this account',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate comes from an authority that is not trusted here: set ca for this account',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate cannot be verified (an intermediate certificate is missing, or the authority is unknown): set ca or pin',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate cannot be verified (an intermediate certificate is missing, or the authority is unknown): set ca or pin',
  UNABLE_TO_GET_ISSUER_CERT: 'the authority of its certificate is unknown here: set ca for this account',
  CERT_REVOKED: 'its certificate was revoked',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'it does not speak TLS on this port: port 110 wants tls: starttls, port 995 tls: implicit',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS on this port: port 110 wants tls: starttls',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it offers only TLS versions older than 1.2, which are not safe',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it offers only TLS versions older than 1.2, which are not safe',
}

export function tlsError(cause: unknown, host: string, port: number): PopfetchError {
  const code = errnoOf(cause)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = cause instanceof Error && 'cert' in cause ? altNames(cause.cert) : ''
    if (names === '') {
      return tlsFailure(
        `TLS with ${host}:${port} failed: its certificate has no host name in subjectAltName (a common name does not count): its owner must renew it; until then set pin`,
        cause,
      )
    }
    return tlsFailure(
      `TLS with ${host}:${port} failed: its certificate is for another name${names}: use a host that it names, or set tlsName to one`,
      cause,
    )
  }
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === null) {
    return tlsFailure(
      `TLS with ${host}:${port} failed: the server closed the connection: does this port speak TLS?`,
      cause,
    )
  }
  const reason = certificateReasons[code] ?? (cause instanceof Error ? display(cause.message) : 'unknown reason')
  return tlsFailure(`TLS with ${host}:${port} failed: ${reason} (${code})`, cause)
}

/** The words for what the system says when it cannot connect; null: the table has none. */
export function networkReason(errno: string): string | null {
  return reasons[errno] ?? null
}

/** The same words for a server that mail goes to (D125). Null: the table has none for it. Without the names in the certificate:
 *  its password is not read yet, so it could not be masked in them. */
export function certificateReason(code: string): string | null {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'its certificate is for another name: use a host that it names, or set tlsName to one'
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return 'it does not speak TLS on this port: try tls: starttls, tls: implicit, or another port'
  return certificateReasons[code]?.replace(' for this account', '') ?? null
}

function altNames(certificate: unknown): string {
  if (typeof certificate !== 'object' || certificate === null || !('subjectaltname' in certificate)) return ''
  if (!/DNS|IP Address/.test(String(certificate.subjectaltname))) return ''
  return ` (${display(String(certificate.subjectaltname), 120)})`
}

export function tlsFailure(text: string, cause?: unknown): PopfetchError {
  return new PopfetchError('ERR_TLS', text, { scope: 'account', retry: 'later', cause })
}

export function unusableCertificate(cause: unknown): PopfetchError {
  const reason = cause instanceof Error ? display(cause.message) : 'unknown reason'
  return new PopfetchError(
    'ERR_CONFIG',
    `cannot use the certificates of this account: ${reason}: ca, clientCert and clientKey must be PEM files that belong together`,
    { scope: 'account', retry: 'never', cause },
  )
}
