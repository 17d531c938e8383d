// How long the answer that is due may take. Two clocks run for each: silence and total time, or a minimum rate for long
// transfers (rule 10 of the hazards: a drip must end too). Knows no command and no socket.

/** `step`: complete within the time limit, drip or not. `sasl`: likewise. `listing`: ten times the limit to the first byte
 *  (P103), then no silence longer than it. `message`: no silence longer than it. Both also keep a minimum rate (P123).
 *  `quit`: ten times the limit (P136: the server rewrites its mailbox). */
export type ClockKind = 'step' | 'sasl' | 'listing' | 'message' | 'quit'

/** Below this rate, counted after the first five minutes, an answer is a drip, not a transfer (P123). */
const SLOWEST_BYTES_PER_SECOND = 1024
const SLOW_START_MS = 300_000
/** A timer that is later than that was not late because the machine is busy. */
const STANDSTILL_MS = 1000

export class AnswerClock {
  readonly #limitMs: number
  readonly #expired: (waitedMs: number) => void
  #kind: ClockKind | null = null
  #sinceMs = 0
  #progressMs = 0
  #bytes = 0
  #pausedMs: number | null = null
  #timer: NodeJS.Timeout | null = null
  #dueMs = 0

  constructor(limitMs: number, expired: (waitedMs: number) => void) {
    this.#limitMs = limitMs
    this.#expired = expired
  }

  /** An answer of this kind is due from now on; null: none is. */
  start(kind: ClockKind | null): void {
    this.#kind = kind
    this.#sinceMs = performance.now()
    this.#progressMs = this.#sinceMs
    this.#bytes = 0
    if (this.#pausedMs !== null) this.#pausedMs = this.#sinceMs
    if (kind !== null && this.#timer === null) this.#arm(this.#limitMs)
  }

  stop(): void {
    this.#kind = null
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Bytes came; `answerBytes` of the long part of an answer. Cheap: the timer looks at the time only when it fires. */
  progress(answerBytes: number): void {
    this.#progressMs = performance.now()
    this.#bytes += answerBytes
  }

  /** We stopped reading: until resume() the time is ours, not the server's (S007). */
  pause(): void {
    this.#pausedMs = performance.now()
  }

  resume(): void {
    const now = performance.now()
    this.#sinceMs += now - (this.#pausedMs ?? now)
    this.#progressMs = now
    this.#pausedMs = null
  }

  #arm(delayMs: number): void {
    this.#dueMs = performance.now() + delayMs
    this.#timer = setTimeout(() => this.#tick(), delayMs)
  }

  #tick(): void {
    this.#timer = null
    if (this.#kind === null) return
    const now = performance.now()
    const lateMs = now - this.#dueMs
    if (lateMs > STANDSTILL_MS) {
      // Our own loop stood still and has not read what came meanwhile: that time is ours, and now it shall read (S007).
      this.#sinceMs += lateMs
      this.#progressMs += lateMs
      return this.#arm(STANDSTILL_MS)
    }
    const leftMs = this.#pausedMs === null ? this.#leftMs(this.#kind, now) : this.#limitMs
    if (leftMs > 0) this.#arm(Math.min(Math.max(leftMs, 5), this.#limitMs))
    else this.#expired(now - this.#sinceMs)
  }

  #leftMs(kind: ClockKind, now: number): number {
    const elapsedMs = now - this.#sinceMs
    switch (kind) {
      case 'step':
      case 'sasl':
        return this.#limitMs - elapsedMs
      case 'quit':
        return this.#limitMs * 10 - elapsedMs
      case 'listing':
        return this.#bytes === 0 ? this.#limitMs * 10 - elapsedMs : this.#transferLeftMs(elapsedMs, now)
      case 'message':
        return this.#transferLeftMs(elapsedMs, now)
    }
  }

  #transferLeftMs(elapsedMs: number, now: number): number {
    const tooSlow = elapsedMs > SLOW_START_MS && this.#bytes < (elapsedMs / 1000) * SLOWEST_BYTES_PER_SECOND
    return tooSlow ? 0 : this.#limitMs - (now - this.#progressMs)
  }
}
