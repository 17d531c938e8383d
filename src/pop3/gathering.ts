// What a socket gives in small pieces, joined to larger ones. TLS gives each record by itself, 4 KiB from Dovecot: every
// message then comes in two or three pieces, which costs a tenth of a poll. Knows nothing of what is in them.
// The one rule: nothing is kept back past the end of the loop's turn in which it came.

/** As much as a plain socket gives at once. */
const FULL_BYTES = 64 << 10

export class Gathering {
  readonly #take: (chunk: Buffer) => void
  #pieces: Buffer[] = []
  #bytes = 0
  #due = false

  constructor(take: (chunk: Buffer) => void) {
    this.#take = take
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes >= FULL_BYTES) this.flush()
    else if (!this.#due) {
      this.#due = true
      setImmediate(() => {
        this.#due = false
        this.flush()
      })
    }
  }

  /** Gives what is there now. */
  flush(): void {
    const pieces = this.#pieces
    const [only] = pieces
    if (only === undefined) return
    this.#pieces = []
    const bytes = this.#bytes
    this.#bytes = 0
    this.#take(pieces.length === 1 ? only : Buffer.concat(pieces, bytes))
  }
}
