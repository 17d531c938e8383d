// A column of a listing: number → text in a few arrays, whatever its length (P103, a million messages). And the growing memory
// in which it is built. Pure.

/** Rows in ascending order of number. A number that was listed twice is left out (P088, odd lines). */
export interface Column {
  readonly numbers: Uint32Array
  /** The text of row `i`, with an LF after it, is `texts` from `edges[i]` up to `edges[i + 1]`. */
  readonly edges: Uint32Array
  readonly texts: Buffer
}

export const emptyColumn: Column = { numbers: new Uint32Array(0), edges: new Uint32Array(1), texts: Buffer.alloc(0) }

/** The same rows in ascending order of number, without the numbers that occur twice. Yields after every `rowsPerTurn` rows. */
export function* inOrder({ numbers, edges, texts }: Column, rowsPerTurn: number): Generator<void, Column> {
  const order = yield* byNumber(numbers)
  const ordered = { numbers: new Uint32Array(order.length), edges: new Uint32Array(order.length + 1) }
  const orderedTexts = Buffer.alloc(texts.length)
  let count = 0
  let size = 0
  for (let at = 0; at < order.length; at++) {
    if (at % rowsPerTurn === rowsPerTurn - 1) yield
    const row = order[at] ?? 0
    const number = numbers[row] ?? 0
    if (number === numbers[order[at - 1] ?? -1] || number === numbers[order[at + 1] ?? -1]) continue
    size += texts.copy(orderedTexts, size, edges[row], edges[row + 1])
    ordered.numbers[count++] = number
    ordered.edges[count] = size
  }
  return {
    numbers: ordered.numbers.slice(0, count),
    edges: ordered.edges.slice(0, count + 1),
    texts: orderedTexts.subarray(0, size),
  }
}

/** The rows in the order of their numbers: a radix sort by the lower 16 bits, then by the upper. Sorting a million numbers by
 *  comparison would block the event loop for too long. */
function* byNumber(numbers: Uint32Array): Generator<void, Uint32Array> {
  let order = new Uint32Array(numbers.length).map((_, row) => row)
  for (const shift of [0, 16]) {
    yield
    const sorted = new Uint32Array(numbers.length)
    placeByDigit(numbers, shift, order, sorted)
    order = sorted
  }
  yield
  return order
}

/** Writes `order` to `sorted` by the digit at `shift`; rows with the same digit keep their order. */
function placeByDigit(numbers: Uint32Array, shift: number, order: Uint32Array, sorted: Uint32Array): void {
  const starts = new Uint32Array(0x10001)
  for (let row = 0; row < numbers.length; row++) {
    const digit = ((numbers[row] ?? 0) >>> shift) & 0xffff
    starts[digit + 1] = (starts[digit + 1] ?? 0) + 1
  }
  for (let digit = 0; digit < 0x10000; digit++) starts[digit + 1] = (starts[digit + 1] ?? 0) + (starts[digit] ?? 0)
  for (let at = 0; at < order.length; at++) {
    const row = order[at] ?? 0
    const digit = ((numbers[row] ?? 0) >>> shift) & 0xffff
    const place = starts[digit] ?? 0
    sorted[place] = row
    starts[digit] = place + 1
  }
}

const FIRST_BYTES = 4096
/** Up to there it is copied as it grows: to set aside room for the longest list costs more than a short one. */
const SMALL_BYTES = 64 * 1024
const STEP_BYTES = 1 << 20

/** Memory that grows in place: a million lines are not copied again at each step, and no spare half is kept allocated. */
export class GrowingBytes {
  readonly #limitBytes: number
  #memory = new ArrayBuffer(FIRST_BYTES)
  #bytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** There is always room within the limits of a listing. */
  add(more: Uint8Array): void {
    const needed = this.#bytes + more.length
    if (needed > this.#memory.byteLength) this.#grow(needed)
    new Uint8Array(this.#memory).set(more, this.#bytes)
    this.#bytes = needed
  }

  #grow(needed: number): void {
    const memory = this.#memory
    const next = Math.max(needed, memory.byteLength + Math.min(memory.byteLength, STEP_BYTES))
    if (memory.resizable) {
      memory.resize(Math.min(memory.maxByteLength, next))
      return
    }
    this.#memory =
      needed > SMALL_BYTES
        ? new ArrayBuffer(Math.min(this.#limitBytes, next), { maxByteLength: this.#limitBytes })
        : new ArrayBuffer(next)
    new Uint8Array(this.#memory).set(new Uint8Array(memory, 0, this.#bytes))
  }

  /** Hands over the memory, cut to what was added. The object is of no use afterwards. */
  take(): ArrayBuffer {
    if (!this.#memory.resizable) return this.#memory.slice(0, this.#bytes)
    this.#memory.resize(this.#bytes)
    return this.#memory.transferToFixedLength()
  }
}
