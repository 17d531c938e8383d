// What a kill leaves in doubt: no more messages of a destination than go there at once (S042, all that were asked for count as
// perhaps sent). A message takes a place before it is offered, and keeps it until the record of what came of it is asked for. The
// ledger makes its changes in the order of the calls, so the next hand-over is never recorded before that. A place is taken
// before a connection, never while one is held: whoever has a place may wait for a connection.
import { concluded } from '../../deliver/answers/conclusions.ts'
import { DeliveryError, type PopfetchError } from '../../errors.ts'
import type { Target } from './destinations.ts'

/** The place of one delivery. Whoever begins the delivery disposes of it, once its outcome is with the ledger. */
export class HandingOver implements Disposable {
  #free: (() => void) | null = null

  /** Waits for a place there. A delivery that has one keeps that, wherever it goes next: it is in doubt already. Gives why it has
   *  none, if the signal was aborted first. */
  async begin({ handOvers }: Pick<Target, 'handOvers'>, signal: AbortSignal): Promise<DeliveryError | null> {
    if (this.#free !== null) return null
    try {
      const free = await handOvers.take(signal)
      // One of endless places is none: a later one of several, which has a limit, would not be asked for its own.
      if (handOvers.count !== Infinity) this.#free = free
      return null
    } catch (cause) {
      const text = 'stopped before it was offered: it will be tried again'
      return new DeliveryError(text, { ...concluded('TEMP', 'ours', { counts: false }), cause })
    }
  }

  [Symbol.dispose](): void {
    this.#free?.()
    this.#free = null
  }
}

/** What was offered and not taken, and why. */
export interface Tried {
  readonly error: PopfetchError
  /** What `closings` gave before. */
  readonly since: number
  /** The place that it keeps until that is settled. */
  readonly handing: HandingOver
}
