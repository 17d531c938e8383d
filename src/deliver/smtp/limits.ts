// How long SMTP may take, each step and a whole message. A configuration raises these and never lowers them. A client
// that gives up before the server has answered the dot sends the same message forever (D035, RFC 1047).
import { raised } from '../network/limits.ts'

export interface SmtpLimits {
  /** TCP, all addresses of the host together. The RFC names none; this is what the system's own connect() takes. */
  readonly connectMs: number
  /** A TLS handshake. */
  readonly tlsMs: number
  /** RFC 5321 4.5.3.2.1. */
  readonly greetingMs: number
  /** RFC 5321 4.5.3.2.2 and 3: MAIL and RCPT; taken for EHLO, STARTTLS, AUTH and RSET too. */
  readonly commandMs: number
  /** RFC 5321 4.5.3.2.4. */
  readonly dataMs: number
  /** RFC 5321 4.5.3.2.5: no progress while the content goes out. */
  readonly blockMs: number
  /** RFC 5321 4.5.3.2.6: from the dot to its answer. */
  readonly contentMs: number
  /** The answer to QUIT decides nothing. */
  readonly quitMs: number
  /** An idle connection is given back before servers begin to end it (300 s in Postfix). */
  readonly idleMs: number
  /** Slower than a modem is not progress: a whole message must be through at this rate, drip or not. */
  readonly bytesPerSecond: number
}

export const RFC_LIMITS: SmtpLimits = {
  connectMs: 120_000,
  tlsMs: 120_000,
  greetingMs: 300_000,
  commandMs: 300_000,
  dataMs: 120_000,
  blockMs: 180_000,
  contentMs: 600_000,
  quitMs: 5_000,
  idleMs: 60_000,
  bytesPerSecond: 4_000,
}

export function raisedSmtp(limits: SmtpLimits, timeoutMs: number | null): SmtpLimits {
  return raised(limits, timeoutMs, ['quitMs', 'idleMs', 'bytesPerSecond'])
}

/** From the greeting to a signed-in session: every step may use its limit, but no drip makes it longer. */
export function openingMs(limits: SmtpLimits): number {
  // EHLO, STARTTLS, EHLO again, and up to three steps of AUTH.
  return limits.greetingMs + limits.tlsMs + 6 * limits.commandMs
}

/** One message, from MAIL to the answer to its dot. */
export function messageMs(limits: SmtpLimits, wireBytes: number): number {
  const transferMs = (wireBytes / limits.bytesPerSecond) * 1000
  return 2 * limits.commandMs + limits.dataMs + limits.blockMs + transferMs + limits.contentMs
}
