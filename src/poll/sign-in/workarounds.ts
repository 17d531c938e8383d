// Ways around what some servers cannot bear: commands sent together that they answer only in part (P143), CAPA that makes
// them hang or close (P032), answers that came out of step (P113). Each is taken at most once in a run, at the price of one
// more connection, and remembered with its date. The one rule: a detour costs speed, never security; TLS is as configured.
import { UnansweredBurst, UnansweredCapabilities } from '../../pop3/recoverable.ts'

const DAY_MS = 86_400_000

/** `pipelining`: proxies and middleboxes are replaced now and then. `capa`: a busy server's goodbye looks the same, so it is
 *  asked again soon. */
const REMEMBERED_MS = { pipelining: 30 * DAY_MS, capa: DAY_MS } as const

type Detour = keyof typeof REMEMBERED_MS

type Facts = Readonly<Record<string, string | undefined>>

export class Detours {
  readonly #off: Set<Detour>
  readonly #taken = new Set<Detour>()
  readonly #nowMs: number
  #oneAtATime = false

  /** `facts`: of the account's record. */
  constructor(facts: Facts, nowMs: number) {
    this.#nowMs = nowMs
    const isOff = (detour: Detour): boolean => {
      // A clock that was set back must not make it last for ever (S030).
      const ageMs = Math.abs(nowMs - Number(facts[`${detour}Ms`]))
      return facts[detour] === 'off' && ageMs < REMEMBERED_MS[detour]
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
  around(error: unknown): string | null {
    const detour =
      error instanceof UnansweredBurst ? 'pipelining' : error instanceof UnansweredCapabilities ? 'capa' : null
    if (detour === null || this.#off.has(detour)) return null
    this.#off.add(detour)
    this.#taken.add(detour)
    return detour === 'pipelining'
      ? 'the server did not answer commands that were sent together: trying them one by one'
      : 'the server did not answer CAPA: trying without'
  }

  /** For the rest of this run: nothing is outstanding while a message comes whose end may be forged. */
  oneAtATime(): void {
    this.#oneAtATime = true
  }

  /** What this run found out; nothing where it failed all the same: then the network was to blame. */
  learnt(failed: boolean): Record<string, string> {
    if (failed) return {}
    return Object.fromEntries(
      [...this.#taken].flatMap((detour) => [
        [detour, 'off'],
        [`${detour}Ms`, String(this.#nowMs)],
      ]),
    )
  }
}
