// Which accounts were woken and not claimed yet, told to those who listen. A notification of the database only says that it is time to
// look; where one is lost, a look every few seconds finds out.
import type { Access } from './access.ts'
import { text } from './rows/cells.ts'

/** Within 5 s (see Ledger.heed). */
const LOOK_MS = 3000

export class Wakes {
  readonly #access: Access
  /** Resolves once notifications are heard. */
  readonly #listen: () => Promise<void>
  readonly #listeners = new Set<(woken: readonly string[]) => void>()
  #timer: NodeJS.Timeout | null = null

  constructor(access: Access, listen: () => Promise<void>) {
    this.#access = access
    this.#listen = listen
  }

  heed(listener: (woken: readonly string[]) => void): Disposable {
    // One that is given twice is told twice.
    const own = (woken: readonly string[]): void => listener(woken)
    this.#listeners.add(own)
    this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref()
    this.#listen().catch(() => undefined)
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(own)
        if (this.#listeners.size === 0) this.close()
      },
    }
  }

  /** Called when a notification came as well. */
  look(): void {
    if (this.#listeners.size > 0) this.#look().catch(() => undefined)
  }

  async #look(): Promise<void> {
    const rows = await this.#access.read('SELECT c.name FROM @.account c WHERE c.next_poll_ms = 0')
    const woken = rows.map(([name]) => text(name))
    if (woken.length > 0) for (const tell of this.#listeners) tell(woken)
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#listeners.clear()
  }
}
