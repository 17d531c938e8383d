// What some servers cannot bear is not asked of them: commands sent together that they answer only in part (P143), CAPA that makes
// them hang or close (P032), answers that came out of step (P113). Each is taken at most once in a run, at the price of one
// more connection, and remembered with its date. The one rule: a workaround costs speed, never security; TLS is as configured.
import { UnansweredBurst, UnansweredCapabilities } from '../../pop3/recoverable.ts'

const DAY_MS = 86_400_000

/** `pipelining`: proxies and middleboxes are replaced now and then. `capa`: a busy server's goodbye looks the same, so it is
 *  asked again soon. */
const REMEMBERED_MS = { pipelining: 30 * DAY_MS, capa: DAY_MS } as const

type Workaround = keyof typeof REMEMBERED_MS

type Facts = Readonly<Record<string, string | undefined>>

export class Workarounds {
  readonly #off: Set<Workaround>
  readonly #taken = new Set<Workaround>()
  readonly #nowMs: number
  #oneAtATime = false

  /** `facts`: of the account's record. */
  constructor(facts: Facts, nowMs: number) {
    this.#nowMs = nowMs
    const isOff = (workaround: Workaround): boolean => {
      // A clock that was set back must not make it last for ever (S030).
      const ageMs = Math.abs(nowMs - Number(facts[`${workaround}Ms`]))
      return facts[workaround] === 'off' && ageMs < REMEMBERED_MS[workaround]
    }
    this.#off = new Set((['pipelining', 'capa'] as const).filter(isOff))
  }

  /** May several commands be sent together? */
  get pipelining(): boolean {
    return !this.#oneAtATime && !this.#off.has('pipelining')
  }

  /** May CAPA be asked? */
  get capabilities(): boolean {
    return !this.#off.has('capa')
  }

  /** Another session may get round what ended this one: what it will do without, in words; null: nothing helps. */
  against(error: unknown): string | null {
    const workaround =
      error instanceof UnansweredBurst ? 'pipelining' : error instanceof UnansweredCapabilities ? 'capa' : null
    if (workaround === null || this.#off.has(workaround)) return null
    this.#off.add(workaround)
    this.#taken.add(workaround)
    return workaround === 'pipelining'
      ? 'the server did not answer commands that were sent together: trying them one by one'
      : 'the server did not answer CAPA: trying without'
  }

  /** For the rest of this run: nothing is outstanding while a message comes whose end may be forged. */
  oneAtATime(): void {
    this.#oneAtATime = true
  }

  /** What this run found out; nothing where it failed all the same: then the network was to blame. */
  factsAfter(failed: boolean): Record<string, string> {
    if (failed) return {}
    return Object.fromEntries(
      [...this.#taken].flatMap((workaround) => [
        [workaround, 'off'],
        [`${workaround}Ms`, String(this.#nowMs)],
      ]),
    )
  }
}
