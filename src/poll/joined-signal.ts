// Two signals as one, for as long as a poll takes. AbortSignal.any keeps what listens to it for as long as the older signal
// lives, and that of a background process lives for months (seen with Node 24: 1.2 KB a poll).

/** Aborted as soon as one of them is, with its reason; after it is disposed of by none. */
export class JoinedSignal implements Disposable {
  readonly #controller = new AbortController()
  readonly #signals: readonly AbortSignal[]
  readonly #onAbort = (): void => {
    const aborted = this.#signals.find((signal) => signal.aborted)
    this.#controller.abort(aborted?.reason)
  }

  constructor(...signals: readonly AbortSignal[]) {
    this.#signals = signals
    for (const signal of signals) signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signals.some((signal) => signal.aborted)) this.#onAbort()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  [Symbol.dispose](): void {
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#onAbort)
  }
}
