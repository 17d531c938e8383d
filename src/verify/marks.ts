// Many keys or intents in little memory: of each its first 52 bits, as a number, 8 bytes. Two of a million are the same in one of ten
// thousand runs. Each may bear the number of an account.

const DIGITS = 13

function markOf(hex: string): number {
  return Number.parseInt(hex.slice(0, DIGITS), 16)
}

/** Collects them, in any order. */
export class MarkList {
  #marks = new Float64Array(1024)
  #tags = new Uint32Array(1024)
  #length = 0

  /** `hex`: hexadecimal digits that look random, 13 at least. */
  add(hex: string, tag = 0): void {
    if (this.#length === this.#marks.length) {
      this.#marks = grown(this.#marks, new Float64Array(2 * this.#length))
      this.#tags = grown(this.#tags, new Uint32Array(2 * this.#length))
    }
    this.#marks[this.#length] = markOf(hex)
    this.#tags[this.#length] = tag
    this.#length++
  }

  /** The list is not used any more. */
  sorted(): Marks {
    const marks = this.#marks.subarray(0, this.#length)
    const tags = this.#tags.subarray(0, this.#length)
    const order = new Uint32Array(this.#length).map((_, at) => at)
    order.sort((a, b) => (marks[a] ?? 0) - (marks[b] ?? 0))
    return new Marks(
      Float64Array.from(order, (at) => marks[at] ?? 0),
      Uint32Array.from(order, (at) => tags[at] ?? 0),
    )
  }
}

function grown<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from)
  return to
}

/** In order. Each has a place, from 0 on. */
export class Marks {
  readonly #marks: Float64Array
  readonly #tags: Uint32Array

  constructor(marks: Float64Array, tags: Uint32Array) {
    this.#marks = marks
    this.#tags = tags
  }

  get length(): number {
    return this.#marks.length
  }

  /** -1: it is not there. */
  find(hex: string): number {
    const wanted = markOf(hex)
    let from = 0
    for (let to = this.#marks.length; from < to;) {
      const middle = (from + to) >>> 1
      if ((this.#marks[middle] ?? 0) < wanted) from = middle + 1
      else to = middle
    }
    return this.#marks[from] === wanted ? from : -1
  }

  has(hex: string): boolean {
    return this.find(hex) !== -1
  }

  tag(place: number): number {
    return this.#tags[place] ?? 0
  }
}
