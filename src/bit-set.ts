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

  has(value: number): boolean {
    return ((this.#bits[Math.floor(value / 8)] ?? 0) & (1 << (value % 8))) !== 0
  }
}
