// Collects a short multi-line answer, or the beginning of a long one, in memory.
import { PopfetchError } from '../../errors.ts'
import { HEADER_LIMIT_BYTES } from '../../header/limit.ts'
import type { BodySink } from './exchange.ts'

/** One byte more than header.ts looks at. A header that goes on behind its limit is seen to be cut, and cut at the same line
 *  as in RETR (P163, long headers). */
const HEADER_KEPT_BYTES = HEADER_LIMIT_BYTES + 1
/** A sender's huge header does not end the session: the rest of it is dropped. Anything longer than this is no header. */
const HEADER_END_BYTES = 256 * 1024 * 1024

export class CollectedBody implements BodySink {
  readonly #keepBytes: number
  readonly #endBytes: number
  readonly #chunks: Buffer[] = []
  #size = 0

  /** Keeps the first `keepBytes` and drops the rest. More than `endBytes` end the session (P033, endless answers). */
  constructor(limits: { readonly keepBytes: number; readonly endBytes: number }) {
    this.#keepBytes = limits.keepBytes
    this.#endBytes = limits.endBytes
  }

  write(chunk: Buffer): undefined {
    const kept = chunk.subarray(0, Math.max(0, this.#keepBytes - this.#size))
    // Copied, so that a few kept bytes do not hold on to a whole chunk of the socket.
    if (kept.length > 0) this.#chunks.push(Buffer.from(kept))
    this.#size += chunk.length
    if (this.#size <= this.#endBytes) return
    throw new PopfetchError('ERR_POP3_PROTOCOL', 'the server sent an answer that does not end: stopping here', {
      scope: 'account',
      retry: 'later',
    })
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

/** For the answer to TOP n 0. */
export function headerBody(): CollectedBody {
  return new CollectedBody({ keepBytes: HEADER_KEPT_BYTES, endBytes: HEADER_END_BYTES })
}
