// How long the next answer may take. It limits silence, and total time or, for long transfers, the rate. A server that sends a
// byte now and then must not hold a session forever (P123, drips). Knows no command and no socket.

/** `step` and `sasl`: complete within the limit. `listing`: the first byte within ten times the limit (P103, long lists), then no
 *  silence longer than the limit. `message`: no silence longer than the limit. Both also have a minimum rate (P123, drips).
 *  `quit`: complete within ten times the limit, because the server may rewrite its mailbox (P136). */
export type ClockKind = 'step' | 'sasl' | 'listing' | 'message' | 'quit'

/** After the first five minutes, an answer must have come at this rate at least (P123). */
const SLOWEST_BYTES_PER_SECOND = 1024
const SLOW_START_MS = 300_000
/** A timer that is late by more than this means that our own event loop, or the machine, stood still. */
const STANDSTILL_MS = 1000

/** A clock that only goes forward. That of `performance` loads a dozen modules of Node at its first use, in each poll. */
const clockMs = (): number => Number(process.hrtime.bigint()) / 1e6

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

  /** An answer of this kind is expected from now on. Null: none is. */
  start(kind: ClockKind | null): void {
    this.#kind = kind
    this.#sinceMs = clockMs()
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

  /** Bytes have come, `answerBytes` of them of a multi-line answer. Cheap: nothing is compared before the timer fires. */
  progress(answerBytes: number): void {
    this.#progressMs = clockMs()
    this.#bytes += answerBytes
  }

  /** We stop reading: until resume() the time does not count against the server (S007, our own standstill). */
  pause(): void {
    this.#pausedMs = clockMs()
  }

  resume(): void {
    const now = clockMs()
    this.#sinceMs += now - (this.#pausedMs ?? now)
    this.#progressMs = now
    this.#pausedMs = null
  }

  #arm(delayMs: number): void {
    this.#dueMs = clockMs() + delayMs
    this.#timer = setTimeout(() => this.#tick(), delayMs)
  }

  #tick(): void {
    this.#timer = null
    if (this.#kind === null) return
    const now = clockMs()
    const lateMs = now - this.#dueMs
    if (lateMs > STANDSTILL_MS) {
      // Our own event loop stood still and has not read what came meanwhile. That time does not count, and it reads first (S007).
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
