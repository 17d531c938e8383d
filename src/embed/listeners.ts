// Who listens to a poller. One rule: whatever a listener does, the poll goes on as if nobody listened.
import type { Log } from '../log.ts'
import type { PollerEvents } from './options.ts'

type Name = keyof PollerEvents
type Listeners = { readonly [N in Name]: Set<(told: PollerEvents[N]) => unknown> }

export class Told {
  readonly #listeners: Listeners = { message: new Set(), progress: new Set(), report: new Set(), note: new Set() }
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  knows(event: string): event is Name {
    return Object.hasOwn(this.#listeners, event)
  }

  add<N extends Name>(event: N, listener: (told: PollerEvents[N]) => unknown): Disposable {
    const all = this.#listeners[event]
    // The same function may listen twice.
    const own = (told: PollerEvents[N]): unknown => listener(told)
    all.add(own)
    return { [Symbol.dispose]: () => void all.delete(own) }
  }

  tell<N extends Name>(event: N, told: PollerEvents[N]): void {
    const all = this.#listeners[event]
    if (all.size === 0) return
    frozen(told)
    // A listener that is added meanwhile hears the next event.
    for (const listener of Array.from(all)) {
      try {
        const given = listener(told)
        if (given instanceof Promise) given.catch((error: unknown) => this.#failed(event, error))
      } catch (error) {
        this.#failed(event, error)
      }
    }
  }

  #failed(event: Name, error: unknown): void {
    this.#log.warn(`a listener to ${event} failed`, { error: String(error) })
  }
}

/** Several listeners, and who asked for the poll, have the same object. */
function frozen(value: object): void {
  if (Object.isFrozen(value)) return
  Object.freeze(value)
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) frozen(inner)
}
