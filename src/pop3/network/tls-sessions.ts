// TLS sessions to be resumed (RFC 8446 §2.2), for as long as the process lives: a handshake without certificates, and over
// TLS 1.2 one exchange less. The one rule: only the session of a connection that passed every check is kept, for the same
// host, port and trust, and no longer than an hour or its certificate: dates and chains are looked at anew by then.
import { PopfetchError } from '../../errors.ts'
import type { TlsFacts } from './tls-facts.ts'

const KEPT_MS = 3_600_000
/** Far more than servers polled by one process; the oldest go. */
const MOST_KEPT = 256

export interface Resumable {
  readonly session: Buffer
  /** When its certificate was checked, in full. */
  readonly verifiedMs: number
  /** As seen then: a handshake that resumes shows no certificate. */
  readonly facts: TlsFacts
}

export class TlsSessions {
  readonly #kept = new Map<string, Resumable & { readonly untilMs: number }>()
  readonly #refused = new Set<string>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs
  }

  /** `key`: all that the checks depend on. */
  keep(key: string, { session, verifiedMs, facts }: Resumable): void {
    if (this.#refused.has(key)) return
    this.#kept.delete(key)
    this.#kept.set(key, { session, verifiedMs, facts, untilMs: Math.min(verifiedMs + KEPT_MS, facts.validToMs) })
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest)
  }

  /** Gives it and lets it go: what a handshake fails with is not tried again. Null: none. */
  take(key: string): Resumable | null {
    const kept = this.#kept.get(key)
    if (kept === undefined) return null
    this.#kept.delete(key)
    const now = this.#nowMs()
    // A clock that was set back must not make it last (S030).
    return now < kept.untilMs && now >= kept.verifiedMs ? kept : null
  }

  /** No session is kept under `key` any more. */
  refuse(key: string): void {
    this.#refused.add(key)
    this.#kept.delete(key)
  }
}

/** A handshake failed that was to resume a session, which may be to blame: OpenSSL servers that ask for client certificates
 *  without a session id context fail so each time. */
export class FailedResumption extends PopfetchError {
  override readonly name: string = 'FailedResumption'

  constructor({ code, message, scope, retry, cause }: PopfetchError) {
    super(code, message, { scope, retry, cause })
  }
}

/** Once more, where `attempt` failed over a session that is refused now: what counts is how it goes without. */
export async function orAfresh<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (error instanceof FailedResumption) return await attempt()
    throw error
  }
}
