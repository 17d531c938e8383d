// What the server said it can do, remembered from one poll to the next. The session then begins with sign-in, and an idle
// poll costs one exchange less. Remembered for one server under TLS, for a day, and as long as it says the same after
// sign-in (P036). The one rule: the memory saves time, nothing hangs on it. Where a poll fails that went by it, the next
// one asks again.
import { createHash } from 'node:crypto'
import type { Account } from '../../config/schema.ts'
import { type Capabilities, noCapabilities } from '../../pop3/wire/capabilities.ts'
import { StaleCapabilities } from '../../pop3/recoverable.ts'
import { mechanismNamed } from '../../pop3/sign-in/mechanisms.ts'

/** A server that offers something better is asked again after a day. */
const REMEMBERED_MS = 86_400_000

/** The capabilities that matter here; the others are not kept. */
const NAMES = ['PIPELINING', 'UTF8']
const MECHANISM = /^[A-Z0-9-]{1,20}$/
const MOST_MECHANISMS = 20

interface Remembered {
  readonly of: string
  readonly sinceMs: number
  readonly names: readonly string[]
  readonly sasl: readonly string[]
  /** Of the list after sign-in. */
  readonly mark: string
}

export class RememberedCapabilities {
  readonly #of: string
  readonly #nowMs: number
  /** False without TLS, where anybody may have answered, and for mechanisms that `auto` never picks. */
  readonly #isOpen: boolean
  #kept: Remembered | null
  #capabilities: Capabilities | null = null
  #changed = false

  /** `fact`: as the account's record has it. */
  constructor({ tls, host, port, auth }: Account, fact: string | undefined, nowMs: number) {
    this.#of = `${tls} ${host}:${port}`
    this.#nowMs = nowMs
    this.#isOpen = tls !== 'none' && mechanismNamed(auth)?.rank !== null
    const kept = this.#isOpen && fact !== undefined ? parsed(fact) : null
    // A clock that was set back must not make it last forever (S030).
    const isFresh = kept !== null && kept.of === this.#of && Math.abs(nowMs - kept.sinceMs) < REMEMBERED_MS
    this.#kept = isFresh ? kept : null
    if (isFresh) this.#capabilities = capabilitiesOf(kept)
  }

  /** The capabilities to go by; null: ask the server. The same object each time. */
  get current(): Capabilities | null {
    return this.#capabilities
  }

  /** After sign-in and listing. `before`: what sign-in went by. `after`: what the server said after it, if anything. */
  learn(before: Capabilities, after: Capabilities): void {
    if (!this.#isOpen) return
    const mark = markOf(after)
    if (this.#kept !== null && before === this.#capabilities && mark === this.#kept.mark) return
    this.#changed = true
    const isAnswered = before !== this.#capabilities && before !== noCapabilities && after !== noCapabilities
    this.#capabilities = null
    this.#kept = !isAnswered
      ? null
      : {
          of: this.#of,
          sinceMs: this.#nowMs,
          // After sign-in is when it counts.
          names: NAMES.filter((name) => (name === 'PIPELINING' ? after : before).names.has(name)),
          sasl: [...before.sasl].filter((name) => MECHANISM.test(name)).slice(0, MOST_MECHANISMS),
          mark,
        }
  }

  /** After `error` ended a session, the next one asks the server. Gives the reason in words where another session should
   *  follow at once; else null. */
  doubtAfter(error: unknown): string | null {
    if (this.#capabilities === null) return null
    this.#capabilities = null
    this.#kept = null
    this.#changed = true
    return error instanceof StaleCapabilities ? 'the server no longer offers what it did: asking again' : null
  }

  /** For the account's record; nothing where the record is right already. */
  get facts(): Record<string, string | null> {
    if (!this.#changed) return {}
    return { capabilities: this.#kept === null ? null : JSON.stringify(this.#kept) }
  }
}

/** The same answer is the same object, mostly. */
const marks = new WeakMap<Capabilities, string>()

function markOf(capabilities: Capabilities): string {
  const known = marks.get(capabilities)
  if (known !== undefined) return known
  const { names, sasl } = capabilities
  const text = JSON.stringify([[...names].sort(), [...sasl].sort()])
  const mark = createHash('sha256').update(text).digest('hex').slice(0, 16)
  marks.set(capabilities, mark)
  return mark
}

function capabilitiesOf({ names, sasl }: Remembered): Capabilities {
  return { ...noCapabilities, names: new Set(names), sasl: new Set(sasl) }
}

/** Null for what no popfetch wrote. */
function parsed(fact: string): Remembered | null {
  try {
    const { of, sinceMs, names, sasl, mark } = JSON.parse(fact) as Partial<Remembered>
    if (typeof of !== 'string' || typeof mark !== 'string' || !Number.isFinite(sinceMs)) return null
    return { of, sinceMs: Number(sinceMs), names: words(names), sasl: words(sasl), mark }
  } catch {
    return null
  }
}

function words(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter((word) => typeof word === 'string') : []
}
