// Memory for small messages, used again and again: 64 KiB blocks in which messages lie one behind the other. Bytes that came
// from a socket are copied out of its buffers, which can then go at once; kept until they were delivered, those pile up
// beside V8's heap, and only its slowest collections free them. One rule: memory is used again only when its owner knows
// that nobody reads it any more; in doubt it is left to the garbage collector, with the block it lies in.

const BLOCK_BYTES = 64 << 10
/** Larger ones have memory of their own: a block is to hold several. */
const MOST_BYTES = 16 << 10
/** 8 MiB: a message that takes long keeps a whole block from being used again. */
const MOST_BLOCKS = 128

interface Block {
  readonly memory: Buffer
  usedBytes: number
  /** Taken from it and not given back. */
  pieces: number
  lost: boolean
}

export class Arena {
  #current = newBlock()
  readonly #free: Block[] = []
  /** Without those that were lost. */
  #count = 1
  readonly #blocks = new WeakMap<ArrayBufferLike, Block>([[this.#current.memory.buffer, this.#current]])

  /** Memory for `bytes`; what is in it is left from before. Null: have your own. */
  take(bytes: number): Buffer | null {
    if (bytes > MOST_BYTES) return null
    if (this.#current.usedBytes + bytes > BLOCK_BYTES || this.#current.lost) {
      const next = this.#free.pop() ?? this.#another()
      if (next === null) return null
      this.#current = next
    }
    const block = this.#current
    const piece = block.memory.subarray(block.usedBytes, block.usedBytes + bytes)
    block.usedBytes += bytes
    block.pieces++
    return piece
  }

  /** Nobody reads or writes `piece`, which `take` gave, any more. Once for each, or `lose`. */
  give(piece: Buffer): void {
    const block = this.#blocks.get(piece.buffer)
    if (block === undefined || block.lost) return
    block.pieces--
    if (block.pieces > 0) return
    block.usedBytes = 0
    if (block !== this.#current) this.#free.push(block)
  }

  /** Somebody may still read `piece`. */
  lose(piece: Buffer): void {
    const block = this.#blocks.get(piece.buffer)
    if (block === undefined || block.lost) return
    block.lost = true
    this.#count--
  }

  #another(): Block | null {
    if (this.#count === MOST_BLOCKS) return null
    this.#count++
    const block = newBlock()
    this.#blocks.set(block.memory.buffer, block)
    return block
  }
}

function newBlock(): Block {
  return { memory: Buffer.allocUnsafeSlow(BLOCK_BYTES), usedBytes: 0, pieces: 0, lost: false }
}
