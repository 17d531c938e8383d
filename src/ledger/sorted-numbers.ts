// The rows of what a comparison was shown: some hundred thousand numbers, asked for nearly in their order.

/** A set that is asked for its members mostly in their order, and then answers at once. */
export class SortedNumbers {
  readonly #numbers: Float64Array
  /** Behind the last answer. */
  #next = 0

  constructor(numbers: Float64Array) {
    this.#numbers = isAscending(numbers) ? numbers : numbers.sort()
  }

  has(wanted: number): boolean {
    if (this.#numbers[this.#next] !== wanted) this.#next = this.#lowerBound(wanted)
    if (this.#numbers[this.#next] !== wanted) return false
    this.#next++
    return true
  }

  #lowerBound(wanted: number): number {
    let [low, high] = [0, this.#numbers.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#numbers[middle] ?? 0) < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

function isAscending(numbers: Float64Array): boolean {
  return numbers.every((number, at) => at === 0 || (numbers[at - 1] ?? 0) <= number)
}
