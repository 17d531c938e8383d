// A set of the ledger's row numbers: one bit each, since a mailbox may have a million of them (P103).

export class RowSet {
  #bits = new Uint8Array(1024)
  #size = 0

  get size(): number {
    return this.#size
  }

  add(row: number): void {
    const byte = Math.floor(row / 8)
    if (byte >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(this.#bits.length * 2, byte + 1))
      larger.set(this.#bits)
      this.#bits = larger
    }
    const mask = 1 << (row % 8)
    const bits = this.#bits[byte] ?? 0
    if ((bits & mask) !== 0) return
    this.#bits[byte] = bits | mask
    this.#size++
  }

  has(row: number): boolean {
    return ((this.#bits[Math.floor(row / 8)] ?? 0) & (1 << (row % 8))) !== 0
  }
}
