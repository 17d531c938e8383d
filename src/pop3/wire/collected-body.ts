// The bytes of a short multi-line answer, or of the head of a long one.
import { PopfetchError } from '../../errors.ts'
import type { BodySink } from './exchange.ts'

/** Of a header we want the fields that identify a message; they stand in the first of it. */
const HEADER_KEPT_BYTES = 65_536
/** A sender's huge header is let go, not an end to the session; what goes on after this is no header. */
const HEADER_END_BYTES = 256 * 1024 * 1024

export class CollectedBody implements BodySink {
  readonly #keepBytes: number
  readonly #endBytes: number
  readonly #chunks: Buffer[] = []
  #size = 0

  /** Keeps the first `keepBytes`, lets go what follows; past `endBytes` the answer does not end (P033), and the session does. */
  constructor(limits: { readonly keepBytes: number; readonly endBytes: number }) {
    this.#keepBytes = limits.keepBytes
    this.#endBytes = limits.endBytes
  }

  write(chunk: Buffer): undefined {
    const kept = chunk.subarray(0, Math.max(0, this.#keepBytes - this.#size))
    // Copied: a few bytes kept must not hold on to a whole chunk of the socket.
    if (kept.length > 0) this.#chunks.push(Buffer.from(kept))
    this.#size += chunk.length
    if (this.#size <= this.#endBytes) return
    throw new PopfetchError('ERR_POP3_PROTOCOL', 'the server sent an answer that does not end: not going on', {
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
