// An answer to UIDL that is probably the one of last time: only its digest is taken while it comes, and its bytes are kept for the case
// that it is another one.
import { createHash, type Hash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { BodySink } from '../wire/exchange.ts'
import { GrowingBytes } from './column.ts'
import { LISTING_BYTES_LIMIT, ListParser, withinListing } from './parser.ts'

/** Parsed in one turn of the event loop: a few milliseconds. */
const BYTES_PER_TURN = 512 * 1024

export class UnparsedList implements BodySink {
  readonly #hash: Hash = createHash('sha256')
  readonly #bytes = new GrowingBytes(LISTING_BYTES_LIMIT)
  readonly #sink: BodySink

  /** `fed` is told of each `bytes` that came. A promise: nothing more is read until it resolves. */
  constructor(fed: (bytes: number) => Promise<void> | undefined) {
    this.#sink = withinListing({
      write: (chunk) => {
        this.#hash.update(chunk)
        this.#bytes.add(chunk)
        return fed(chunk.length)
      },
    })
  }

  /** Throws ERR_POP3_PROTOCOL past what a listing may have. */
  write(chunk: Buffer): Promise<void> | undefined {
    return this.#sink.write(chunk)
  }

  /** In hexadecimal. Call once, when the answer is complete. */
  digest(): string {
    return this.#hash.digest('hex')
  }

  /** A parser that got the whole answer. Works in several turns of the event loop; call once. */
  async parsed(): Promise<ListParser> {
    const parser = new ListParser()
    const bytes = Buffer.from(this.#bytes.take())
    for (let at = 0; at < bytes.length; at += BYTES_PER_TURN) {
      if (at > 0) await turn()
      parser.feed(bytes.subarray(at, at + BYTES_PER_TURN))
    }
    return parser
  }
}
