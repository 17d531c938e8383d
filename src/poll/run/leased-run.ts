// The run as one poll sees it: its signals are given, too, when the poll loses its lease. Another process may poll the
// account then, so no message is asked for any more, and the session ends without DELE and QUIT.
import type { Lease } from '../../ledger/ledger.ts'
import type { Run } from './run.ts'

/** Lasts as long as the poll does. */
export class LeasedRun implements Disposable {
  readonly run: Run
  readonly #signal: JoinedSignal
  #deliverySignal: JoinedSignal | null = null

  constructor(run: Run, { lost }: Lease) {
    this.#signal = new JoinedSignal(run.signal, lost)
    // Most polls deliver nothing.
    const deliverySignal = (): AbortSignal =>
      (this.#deliverySignal ??= new JoinedSignal(run.deliverySignal, lost)).signal
    this.run = {
      ...run,
      signal: this.#signal.signal,
      get deliverySignal() {
        return deliverySignal()
      },
    }
  }

  [Symbol.dispose](): void {
    this.#signal[Symbol.dispose]()
    this.#deliverySignal?.[Symbol.dispose]()
  }
}

/** Two signals as one, until it is disposed of. AbortSignal.any would keep its listeners for as long as the older signal
 *  lives, and a daemon lives for months (seen with Node 24: 1.2 KB a poll). */
class JoinedSignal implements Disposable {
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
