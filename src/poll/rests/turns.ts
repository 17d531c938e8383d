// How many messages are offered to one destination at once, by all accounts of a process. A message that waits is judged by the
// answers that came meanwhile. Otherwise a hundred would be under way before the third refusal in a row ends it (D116).

interface Waiter {
  readonly room: () => number
  readonly resolve: () => void
}

export class Turns {
  readonly #offered = new Map<string, number>()
  readonly #waiting = new Map<string, Waiter[]>()

  /** The right to offer one message to the destination of this key, until it is disposed of: that is, until what the answer
   *  says of the destination is recorded. `room`: how many may be offered at once, 1 at least; asked whenever one ends. First come, first served. */
  async take(key: string, room: () => number): Promise<Disposable> {
    const offered = this.#offered.get(key) ?? 0
    if (offered < room() && !this.#waiting.has(key)) this.#offered.set(key, offered + 1)
    else {
      const { promise, resolve } = Promise.withResolvers<void>()
      const waiting = this.#waiting.get(key) ?? []
      this.#waiting.set(key, waiting)
      waiting.push({ room, resolve })
      await promise
    }
    return { [Symbol.dispose]: () => this.#end(key) }
  }

  #end(key: string): void {
    let offered = (this.#offered.get(key) ?? 0) - 1
    const waiting = this.#waiting.get(key) ?? []
    for (let first = waiting[0]; first !== undefined && offered < first.room(); first = waiting[0]) {
      waiting.shift()
      offered++
      first.resolve()
    }
    if (waiting.length === 0) this.#waiting.delete(key)
    if (offered === 0) this.#offered.delete(key)
    else this.#offered.set(key, offered)
  }
}
