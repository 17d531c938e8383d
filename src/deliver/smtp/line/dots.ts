// A message as DATA carries it: a second dot where a line begins with one, and the dot that ends all (RFC 5321 4.5.2). What comes
// here has CRLF line ends only (content.ts), and was counted.

const DOT = 0x2e
const LF = 0x0a
const STUFFED = Buffer.from('.')

/** What the end takes at most. */
export const MOST_ENDING = 5

/** A whole message of `wireBytes` (WireCount). Its `sizeBytes` are at the beginning of `room`, behind which MOST_ENDING bytes are free:
 *  where there are no dots, the result is this memory. Null: it has another length, so it must not be sent. */
export function wireForm(room: Buffer, sizeBytes: number, wireBytes: number): Buffer | null {
  const whole = room.subarray(0, sizeBytes)
  const dots = dotsOf(whole, LF)
  const ending = endOf(whole.at(-1))
  if (sizeBytes + dots.length + ending.length !== wireBytes) return null
  const wire = dots.length === 0 ? room.subarray(0, wireBytes) : Buffer.allocUnsafe(wireBytes)
  if (dots.length === 0) ending.copy(wire, sizeBytes)
  else stuff(whole, dots, ending, wire)
  return wire
}

function stuff(whole: Buffer, dots: readonly number[], ending: Buffer, wire: Buffer): void {
  let length = 0
  let from = 0
  for (const at of dots) {
    length += whole.copy(wire, length, from, at)
    length += STUFFED.copy(wire, length)
    from = at
  }
  length += whole.copy(wire, length, from)
  ending.copy(wire, length)
}

/** The same for a message that comes in pieces. */
export class Dots {
  /** Of all that was given back. */
  wireBytes = 0
  /** Undefined: nothing came yet. */
  #last: number | undefined

  add(piece: Buffer): Buffer {
    const parts: Buffer[] = []
    let from = 0
    for (const at of dotsOf(piece, this.#last ?? LF)) {
      parts.push(piece.subarray(from, at), STUFFED)
      from = at
    }
    this.#last = piece.at(-1) ?? this.#last
    return this.#counted(parts.length === 0 ? piece : Buffer.concat([...parts, piece.subarray(from)]))
  }

  end(): Buffer {
    return this.#counted(endOf(this.#last))
  }

  #counted(bytes: Buffer): Buffer {
    this.wireBytes += bytes.length
    return bytes
  }
}

const DOT_LINE = Buffer.from('.\r\n')
const END_LINE = Buffer.from('\r\n.\r\n')

function endOf(last: number | undefined): Buffer {
  return last === LF ? DOT_LINE : END_LINE
}

/** Where lines begin with a dot. `last`: the byte before. */
function dotsOf(bytes: Buffer, last: number): readonly number[] {
  const found: number[] = []
  if (last === LF && bytes[0] === DOT) found.push(0)
  for (let at = bytes.indexOf('\n.'); at >= 0; at = bytes.indexOf('\n.', at + 1)) found.push(at + 1)
  return found
}
