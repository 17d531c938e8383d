// A set of whole numbers from 0 on, such as places in a listing. One bit for each up to the largest, since a mailbox may have a
// million messages (P103).

export class BitSet {
  #bits = new Uint8Array(1024)
  #size = 0

  get size(): number {
    return this.#size
  }

  add(value: number): void {
    const byte = Math.floor(value / 8)
    if (byte >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(this.#bits.length * 2, byte + 1))
      larger.set(this.#bits)
      this.#bits = larger
    }
    const mask = 1 << (value % 8)
    const bits = this.#bits[byte] ?? 0
    if ((bits & mask) !== 0) return
    this.#bits[byte] = bits | mask
    this.#size++
  }

  /** The smallest of them that is `from` or more; -1: there is none. */
  next(from: number): number {
    for (let byte = Math.floor(from / 8); byte < this.#bits.length; byte++) {
      if (this.#bits[byte] === 0) continue
      for (let value = Math.max(from, byte * 8); value < byte * 8 + 8; value++) if (this.has(value)) return value
    }
    return -1
  }

  has(value: number): boolean {
    return ((this.#bits[Math.floor(value / 8)] ?? 0) & (1 << (value % 8))) !== 0
  }
}
