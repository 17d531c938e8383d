// How long each file of a Maildir may take, and what ends it sooner: one timer and one listener for all of them, since a
// timer for each of five thousand is work.
import type { MaildirFile } from './maildir/file.ts'
import { NoAnswer } from './disk/time-limit.ts'

interface Watched {
  readonly dueMs: number
  readonly limitMs: number
  readonly signal: AbortSignal
}

export class MaildirLimits {
  readonly #watched = new Map<MaildirFile, Watched>()
  #timer: NodeJS.Timeout | null = null
  #wakeMs = 0
  /** Heard now; deliveries that run at the same time nearly always share one. */
  readonly #signals = new Map<AbortSignal, () => void>()

  /** Abandons the file after `limitMs`, or when the signal is aborted, unless it is released before. */
  watch(file: MaildirFile, limitMs: number, signal: AbortSignal): void {
    this.#watched.set(file, { dueMs: performance.now() + limitMs, limitMs, signal })
    this.#wake(limitMs)
    if (signal.aborted) return file.abandon(signal.reason, 'message')
    if (this.#signals.has(signal)) return
    const onAbort = (): void => this.#aborted(signal)
    this.#signals.set(signal, onAbort)
    signal.addEventListener('abort', onAbort)
  }

  release(file: MaildirFile): void {
    this.#watched.delete(file)
    if (this.#watched.size > 0) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    for (const [signal, onAbort] of this.#signals) signal.removeEventListener('abort', onAbort)
    this.#signals.clear()
  }

  #aborted(signal: AbortSignal): void {
    for (const [file, watched] of this.#watched) if (watched.signal === signal) file.abandon(signal.reason, 'message')
  }

  #late(): void {
    this.#timer = null
    const nowMs = performance.now()
    let nextMs = Infinity
    for (const [file, { dueMs, limitMs }] of this.#watched) {
      // Timers may fire up to a millisecond early.
      if (dueMs > nowMs + 1) nextMs = Math.min(nextMs, dueMs - nowMs)
      else file.abandon(new NoAnswer(`no answer within ${Math.round(limitMs / 1000)} s`), 'destination')
    }
    if (nextMs < Infinity) this.#wake(nextMs)
  }

  /** After so long at the latest. */
  #wake(afterMs: number): void {
    const dueMs = performance.now() + afterMs
    if (this.#timer !== null && this.#wakeMs <= dueMs) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#wakeMs = dueMs
    this.#timer = setTimeout(() => this.#late(), afterMs)
  }
}
