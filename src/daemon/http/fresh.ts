// One answer for all who ask within a second: ten thousand accounts make a megabyte, and a hundred browsers ask for it.

const FRESH_MS = 1000

export class Fresh<T> {
  readonly #make: () => Promise<T>
  readonly #freshMs: number
  #made: { readonly value: Promise<T>; readonly atMs: number } | null = null

  constructor(make: () => Promise<T>, freshMs: number = FRESH_MS) {
    this.#make = make
    this.#freshMs = freshMs
  }

  value(): Promise<T> {
    const nowMs = performance.now()
    if (this.#made === null || nowMs - this.#made.atMs >= this.#freshMs) {
      const made = { value: this.#make(), atMs: nowMs }
      this.#made = made
      // A failure is of its own moment only.
      made.value.catch(() => {
        if (this.#made === made) this.#made = null
      })
    }
    return this.#made.value
  }
}
