// Ways to work with servers that cannot do what others can. They answer commands sent together only in part (P143), CAPA
// makes them hang or close (P032), or their answers got out of step (P113). Each workaround is tried at most once in a run,
// costs one more connection, and is remembered with its date. The one rule: a workaround costs speed, never security; TLS
// is as configured.
import { BrokenLook } from '../compare/looks.ts'
import { UnansweredBurst, UnansweredCapabilities } from '../../pop3/recoverable.ts'

const DAY_MS = 86_400_000

/** `pipelining`: a proxy in between may be replaced some day. `capa`: a busy server closes in the same way, so CAPA is
 *  asked again soon. */
const REMEMBERED_MS = { pipelining: 30 * DAY_MS, capa: DAY_MS, top: 30 * DAY_MS } as const

const WORDS = { pipelining: 'off', capa: 'off', top: 'unusable' } as const

/** This many looks may end a session of one poll. */
const MOST_BROKEN = 5

type Workaround = keyof typeof REMEMBERED_MS

type Facts = Readonly<Record<string, string | undefined>>

export class Workarounds {
  readonly #off: Set<Workaround>
  readonly #taken = new Set<Workaround>()
  readonly #nowMs: number
  #oneAtATime = false
  #brokenLooks = 0

  /** `facts`: of the account's record. */
  constructor(facts: Facts, nowMs: number) {
    this.#nowMs = nowMs
    const isOff = (workaround: Workaround): boolean => {
      // A clock that was set back must not make it last forever (S030).
      const ageMs = Math.abs(nowMs - Number(facts[`${workaround}Ms`]))
      return facts[workaround] === WORDS[workaround] && ageMs < REMEMBERED_MS[workaround]
    }
    this.#off = new Set((['pipelining', 'capa', 'top'] as const).filter(isOff))
  }

  /** May several commands be sent together? */
  get pipelining(): boolean {
    return !this.#oneAtATime && !this.#off.has('pipelining')
  }

  /** May CAPA be asked? */
  get capabilities(): boolean {
    return !this.#off.has('capa')
  }

  /** Does TOP show what RETR gives (P158)? */
  get top(): boolean {
    return !this.#off.has('top')
  }

  loseTop(): void {
    this.#off.add('top')
    this.#taken.add('top')
  }

  /** Finds a workaround for the error that ended a session. Gives in words what the next session will do; null: nothing
   *  helps. */
  against(error: unknown): string | null {
    if (error instanceof BrokenLook) return this.#againstLook(error)
    const workaround =
      error instanceof UnansweredBurst ? 'pipelining' : error instanceof UnansweredCapabilities ? 'capa' : null
    if (workaround === null || this.#off.has(workaround)) return null
    this.#off.add(workaround)
    this.#taken.add(workaround)
    return workaround === 'pipelining'
      ? 'the server did not answer commands that were sent together: sending them one at a time'
      : 'the server did not answer CAPA: continuing without it'
  }

  /** The same message is not looked at again and again: transfer/ended-looks.ts remembers it. */
  #againstLook({ verb, message }: BrokenLook): string | null {
    if (++this.#brokenLooks > MOST_BROKEN) return null
    if (verb === 'RETR' || this.#off.has('top')) return message
    this.loseTop()
    return `TOP ended the session (${message}): continuing without it`
  }

  /** For the rest of this run: one command at a time, so that no answer follows a message whose end may be forged
   *  (P113). */
  oneAtATime(): void {
    this.#oneAtATime = true
  }

  /** For the account's record. Nothing where the run failed all the same: then the network was to blame. */
  factsAfter(failed: boolean): Record<string, string> {
    const taken = [...this.#taken].filter((workaround) => !failed || workaround === 'top')
    return Object.fromEntries(
      taken.flatMap((workaround) => [
        [workaround, WORDS[workaround]],
        [`${workaround}Ms`, String(this.#nowMs)],
      ]),
    )
  }
}
