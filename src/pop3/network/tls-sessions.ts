// TLS sessions to resume (RFC 8446 §2.2), kept while the process lives: a resumed handshake needs no certificates, and over
// TLS 1.2 one exchange less. The one rule: a session is kept only if its connection passed every check, and is used only for the
// same host, port and trust. After an hour, or when its certificate expires, dates and chain are checked again.
import { PopfetchError } from '../../errors.ts'
import type { TlsFacts } from './tls-facts.ts'

const KEPT_MS = 3_600_000
/** Far more than one process has servers; the oldest are dropped. */
const MOST_KEPT = 256

export interface Resumable {
  readonly session: Buffer
  /** When the certificate was fully checked. */
  readonly verifiedMs: number
  /** From that check: a resumed handshake shows no certificate. */
  readonly facts: TlsFacts
}

export class TlsSessions {
  readonly #kept = new Map<string, Resumable & { readonly untilMs: number }>()
  readonly #refused = new Set<string>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number = () => Date.now()) {
    this.#nowMs = nowMs
  }

  /** `key`: everything that the checks depend on. */
  keep(key: string, { session, verifiedMs, facts }: Resumable): void {
    if (this.#refused.has(key)) return
    this.#kept.delete(key)
    this.#kept.set(key, { session, verifiedMs, facts, untilMs: Math.min(verifiedMs + KEPT_MS, facts.validToMs) })
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MOST_KEPT && oldest !== undefined) this.#kept.delete(oldest)
  }

  /** Returns a session and forgets it, so that one that makes a handshake fail is not tried again. Null: none. */
  take(key: string): Resumable | null {
    const kept = this.#kept.get(key)
    if (kept === undefined) return null
    this.#kept.delete(key)
    const now = this.#nowMs()
    // A clock that was set back must not prolong it (S030).
    return now < kept.untilMs && now >= kept.verifiedMs ? kept : null
  }

  /** From now on no session is kept under `key`. */
  refuse(key: string): void {
    this.#refused.add(key)
    this.#kept.delete(key)
  }
}

/** A handshake with a resumed session failed, and the resumption may be the cause. OpenSSL servers that ask for client
 *  certificates but set no session id context fail like this each time. */
export class FailedResumption extends PopfetchError {
  override readonly name: string = 'FailedResumption'

  constructor({ code, message, scope, retry, cause }: PopfetchError) {
    super(code, message, { scope, retry, cause })
  }
}

/** Runs `attempt`, and once more when it failed with a resumed session: the second time none is resumed. */
export async function orAfresh<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (error instanceof FailedResumption) return await attempt()
    throw error
  }
}
