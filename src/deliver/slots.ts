// How many deliveries may run at once. Latecomers wait in the order in which they came.

export class Slots {
  readonly count: number
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.count = count
    this.#free = count
  }

  /** Does anybody wait for one? */
  get isWanted(): boolean {
    return this.#waiting.length > 0
  }

  /** The function that gives a slot back; null: none is free. */
  takeAtOnce(): (() => void) | null {
    if (this.#free === 0) return null
    this.#free -= 1
    return this.#leaving()
  }

  /** Resolves with the function that gives the slot back. Rejects with the signal's reason when it is aborted first. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free -= 1
    else await this.#turn(signal)
    return this.#leaving()
  }

  #leaving(): () => void {
    let held = true
    return () => {
      if (!held) return
      held = false
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onTurn = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(onTurn), 1)
        reject(signal.reason instanceof Error ? signal.reason : new Error('stopped'))
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(onTurn)
    })
  }
}
