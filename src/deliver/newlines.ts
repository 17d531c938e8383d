// The bytes of a message on their way to SMTP. Every CR and LF becomes part of a CRLF, so that no server down the line
// can see the end of a message where there is none (D038); most mail needs nothing and comes out as the very buffer it
// was. And what it will be on the wire is counted beforehand, so that it can be told whether all of it was sent (D064).
// Pure. Regular expressions over latin1 text are the fastest look at every byte there is here: 1 µs for 4 kB.
import { isAscii } from 'node:buffer'

const BARE = /\r(?!\n)|(?<!\r)\n/
const CR = 0x0d
const DOT = 0x2e
const LF = 0x0a

/** Repairs a message that comes in chunks: what all of them and `end()` give has CRLF line ends only. */
export class NewlineRepair {
  /** Something had to be mended so far. */
  repaired = false
  /** The chunk before ended in a CR, which is held back until the next byte is known. */
  #heldCr = false

  repair(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk
    const endsInCr = chunk.at(-1) === CR
    const whole = this.#heldCr ? Buffer.concat([Buffer.of(CR), chunk]) : chunk
    this.#heldCr = endsInCr
    const known = endsInCr ? whole.subarray(0, -1) : whole
    const mended = repaired(known)
    if (mended !== known) this.repaired = true
    return mended
  }

  end(): Buffer {
    const held = this.#heldCr
    this.#heldCr = false
    if (held) this.repaired = true
    return held ? Buffer.from('\r\n') : Buffer.alloc(0)
  }
}

/** A complete message with CRLF line ends only. */
export function withCrlf(bytes: Buffer): Buffer {
  const repair = new NewlineRepair()
  const body = repair.repair(bytes)
  const end = repair.end()
  return end.length === 0 ? body : Buffer.concat([body, end])
}

function repaired(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  return BARE.test(text) ? Buffer.from(text.replace(/\r\n|\r|\n/g, '\r\n'), 'latin1') : bytes
}

/** Counts repaired content, chunk by chunk. */
export class WireCount {
  sizeBytes = 0
  eightBit = false
  /** Lines that begin with a dot; each gets another one (RFC 5321 4.5.2). */
  #dots = 0
  #last = LF

  add(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.sizeBytes += chunk.length
    if (!this.eightBit && !isAscii(chunk)) this.eightBit = true
    if (this.#last === LF && chunk[0] === DOT) this.#dots++
    if (chunk.includes('\n.')) this.#dots += chunk.toString('latin1').match(/\n\./g)?.length ?? 0
    this.#last = chunk.at(-1) ?? LF
  }

  /** On the wire, with the end of the message: a line end where the last one is missing, the dot, a line end. */
  get wireBytes(): number {
    const terminator = this.sizeBytes > 0 && this.#last === LF ? 3 : 5
    return this.sizeBytes + this.#dots + terminator
  }
}
