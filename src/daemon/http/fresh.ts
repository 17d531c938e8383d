// One answer for all who ask within a second: ten thousand accounts are a tenth of a second's work, and a hundred browsers ask for them.
// After that second it is let go: it has megabytes, too.

const FRESH_MS = 1000

export class Fresh<T> {
  readonly #make: () => Promise<T>
  readonly #freshMs: number
  #made: Promise<T> | null = null

  constructor(make: () => Promise<T>, freshMs: number = FRESH_MS) {
    this.#make = make
    this.#freshMs = freshMs
  }

  value(): Promise<T> {
    if (this.#made !== null) return this.#made
    const made = this.#make()
    this.#made = made
    const letGo = (): void => {
      if (this.#made === made) this.#made = null
    }
    // A failure is of its own moment only.
    made.then(() => (this.#freshMs === 0 ? letGo() : setTimeout(letGo, this.#freshMs).unref()), letGo)
    return made
  }
}
