// Memory for small messages that is used again and again: blocks of 64 KiB, each holding several messages. Bytes from a
// socket are copied here, so that the buffers of the socket are freed at once. If messages kept those buffers until they
// were delivered, the buffers would pile up outside V8's heap, where only its slowest collections free them. One rule:
// memory is used again only when its owner knows that nobody reads it. In doubt the garbage collector gets it, with its
// whole block.

const BLOCK_BYTES = 64 << 10
/** A larger message gets memory of its own, since a block should hold several messages. */
const MOST_BYTES = 16 << 10
/** 8 MiB in all. They are many because one slow message keeps its whole block from being used again. */
const MOST_BLOCKS = 128

interface Block {
  readonly memory: Buffer
  usedBytes: number
  /** Pieces that were taken and not given back. */
  pieces: number
  lost: boolean
}

export class Arena {
  #current = newBlock()
  readonly #free: Block[] = []
  /** The blocks that were made, without the lost ones. */
  #count = 1
  readonly #blocks = new WeakMap<ArrayBufferLike, Block>([[this.#current.memory.buffer, this.#current]])

  /** Memory for `bytes`, with old content in it. Null: the caller has to allocate its own. */
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

  /** Returns a piece from `take`, which nobody reads or writes any more. Each piece is given back once, or lost. */
  give(piece: Buffer): void {
    const block = this.#blocks.get(piece.buffer)
    if (block === undefined || block.lost) return
    block.pieces--
    if (block.pieces > 0) return
    block.usedBytes = 0
    if (block !== this.#current) this.#free.push(block)
  }

  /** Gives a piece up, because somebody may still read it. Its block is never used again. */
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
