// Lanes of several accounts at once: their work in slices, one in each turn of the event loop. What all of them got would otherwise be
// written and delivered in one long turn, and meanwhile nobody reads the listing of an account that comes later, or asks for its
// messages: it would wait a round trip more, and all of them for it. So reading and asking go first. A lane that began its work goes on
// before others begin theirs, so that its session ends while they work.

/** One for the process, as the event loop is. */
export class Slices {
  #lanes = 0
  readonly #waiting: (() => void)[] = []
  #isDue = false

  /** A lane is open until what it gives is disposed of. */
  open(): Disposable {
    this.#lanes++
    return { [Symbol.dispose]: () => void this.#lanes-- }
  }

  /** Is there one lane only, which need not wait for others? */
  get isOne(): boolean {
    return this.#lanes < 2
  }

  /** Resolves in a later turn of the event loop, for one caller in each. `goesOn`: before those that have not begun. */
  turn(goesOn: boolean): Promise<void> {
    return new Promise((resolve) => {
      if (goesOn) this.#waiting.unshift(resolve)
      else this.#waiting.push(resolve)
      this.#soon()
    })
  }

  #soon(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#waiting.shift()?.()
      if (this.#waiting.length > 0) this.#soon()
    })
  }
}

export const slices = new Slices()
