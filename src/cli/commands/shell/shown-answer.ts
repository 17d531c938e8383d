// The lines of a long answer, shown while they come: escaped, and cut after a screen unless all of it is wanted. A line of any
// length, and an answer of any length, cost bounded memory.
import { displayBytes } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import type { BodySink } from '../../../pop3/wire/exchange.ts'

/** Of a line, what is shown; RFC 5322 has 998. */
const LINE_BYTES = 2000
const NEWLINE = 0x0a
const RETURN = 0x0d

/** Whoever read the answers has gone: the rest of a long one is not waited for. */
export class ReaderGone extends PopfetchError {
  constructor() {
    super('ERR_ABORTED', 'nobody is reading the answer', { scope: 'account', retry: 'soon' })
  }
}

export class ShownAnswer implements BodySink {
  readonly #most: number
  readonly #print: (line: string) => void
  readonly #caughtUp: () => Promise<boolean>
  #line: Buffer[] = []
  #lineBytes = 0
  #lines = 0

  /** `most`: lines to show. `caughtUp` resolves when the reader has taken what was printed; to false when it is gone, which `write`
   *  rejects with. */
  constructor(most: number, print: (line: string) => void, caughtUp: () => Promise<boolean>) {
    this.#most = most
    this.#print = print
    this.#caughtUp = caughtUp
  }

  write(chunk: Buffer): Promise<void> | undefined {
    let at = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, at)) {
      this.#keep(chunk.subarray(at, end))
      this.#ended()
      at = end + 1
    }
    this.#keep(chunk.subarray(at))
    return this.#lines > this.#most ? undefined : this.#taken()
  }

  async #taken(): Promise<void> {
    if (!(await this.#caughtUp())) throw new ReaderGone()
  }

  /** How many lines were not shown. Call it after the answer. */
  end(): number {
    if (this.#lineBytes > 0) this.#ended()
    return Math.max(0, this.#lines - this.#most)
  }

  #keep(piece: Buffer): void {
    const kept = piece.subarray(0, Math.max(0, LINE_BYTES + 1 - this.#lineBytes))
    // Copied, so that some bytes do not hold a chunk of the socket.
    if (kept.length > 0 && this.#lines < this.#most) this.#line.push(Buffer.from(kept))
    this.#lineBytes += piece.length
  }

  #ended(): void {
    this.#lines++
    if (this.#lines <= this.#most) {
      const line = Buffer.concat(this.#line)
      this.#print(displayBytes(line.at(-1) === RETURN ? line.subarray(0, -1) : line, LINE_BYTES))
    }
    this.#line = []
    this.#lineBytes = 0
  }
}
