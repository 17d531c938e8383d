// The accounts in the order in which they are due, for ten thousand of them: a heap. A time that was changed leaves its old entry
// behind, which is passed over when it comes to the top.

interface Entry<T> {
  readonly dueMs: number
  readonly item: T
}

/** Entries of times that were changed, beside this many, are thrown away together. */
const LEFT_BEHIND = 64

export class DueQueue<T extends { readonly dueMs: number | null }> {
  #heap: Entry<T>[] = []
  readonly #size: () => number

  /** `size`: how many items there are in all. */
  constructor(size: () => number) {
    this.#size = size
  }

  /** Entries, those that were left behind among them. */
  get length(): number {
    return this.#heap.length
  }

  /** To be called whenever `dueMs` of an item was changed. */
  add(item: T): void {
    if (item.dueMs === null) return
    if (this.#heap.length > 2 * this.#size() + LEFT_BEHIND) this.#tidy()
    this.#heap.push({ dueMs: item.dueMs, item })
    this.#rise(this.#heap.length - 1)
  }

  /** When the first is due; null: none is. */
  get nextMs(): number | null {
    for (let [first] = this.#heap; first !== undefined; [first] = this.#heap) {
      if (first.item.dueMs === first.dueMs) return first.dueMs
      this.#shift()
    }
    return null
  }

  /** Takes out the first if it is due by then. Null: none is. */
  take(nowMs: number): T | null {
    const nextMs = this.nextMs
    return nextMs === null || nextMs > nowMs ? null : this.#shift()
  }

  #tidy(): void {
    const entries = this.#heap.filter(({ dueMs, item }) => item.dueMs === dueMs)
    this.#heap = []
    for (const entry of entries) {
      this.#heap.push(entry)
      this.#rise(this.#heap.length - 1)
    }
  }

  #shift(): T | null {
    const [first] = this.#heap
    const last = this.#heap.pop()
    if (first === undefined || last === undefined) return null
    if (this.#heap.length > 0) {
      this.#heap[0] = last
      this.#sink()
    }
    return first.item
  }

  #rise(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfLater(parent, at)) return
      at = parent
    }
  }

  #sink(): void {
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const child = this.#dueMs(right) < this.#dueMs(left) ? right : left
      if (!this.#swapIfLater(at, child)) return
      at = child
    }
  }

  /** Is the upper one due later than the lower one? Then they change places. */
  #swapIfLater(upper: number, lower: number): boolean {
    const [above, below] = [this.#heap[upper], this.#heap[lower]]
    if (above === undefined || below === undefined || above.dueMs <= below.dueMs) return false
    this.#heap[upper] = below
    this.#heap[lower] = above
    return true
  }

  #dueMs(at: number): number {
    return this.#heap[at]?.dueMs ?? Infinity
  }
}
