// Lanes of several accounts at once: their work in slices, one in each turn of the event loop. Without slices, one long turn would write
// and deliver for all of them. Meanwhile no other account's listing would be read, and no RETR sent: that account would start a round
// trip later, and the whole poll would end later. So reading and asking go first. A lane that began its work goes on before others begin
// theirs, so that its session ends while they work.

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
