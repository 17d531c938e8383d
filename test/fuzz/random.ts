// Numbers that a seed decides, so that a case can be made again from two numbers; and input made of other input.

export class Random {
  #state: number

  constructor(seed: number, at = 0) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(at + 1, 0x85ebca6b)) >>> 0
  }

  /** From 0 to below `end`. */
  below(end: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end
  }

  of<T>(list: readonly T[]): T {
    const chosen = list[this.below(list.length)]
    if (chosen === undefined) throw new RangeError('nothing to choose from')
    return chosen
  }

  /** Cut into pieces, also empty ones. */
  pieces(bytes: Buffer): readonly Buffer[] {
    const longest = this.of([1, 3, 16, 200, 70_000])
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length;) {
      const end = at + this.below(longest + 1)
      pieces.push(bytes.subarray(at, end))
      at = end
    }
    return pieces
  }
}

const TELLING = [
  '\r',
  '\n',
  '\r\n',
  '.',
  '\r\n.\r\n',
  '\n.\n',
  '\0',
  ' ',
  '\t',
  '+OK ',
  '-ERR ',
  '+ ',
  '[',
  ']',
  ':',
  '=',
]
const STRANGE = [
  '\u001b]0;x\u0007',
  '\u0085',
  '\u00ad',
  '-1',
  '4294967296',
  '99999999999999999999',
  '1e9',
  '%s%n',
  '../../',
  '{}',
]

/** A seed after some changes, or two of them crossed. Now and then very long. */
export function mutated(seeds: readonly Buffer[], random: Random): Buffer {
  let bytes: Buffer = Buffer.from(random.of(seeds))
  for (let left = random.below(8); left > 0; left--) bytes = changed(bytes, seeds, random)
  return bytes.subarray(0, random.of([1, 1, 1, 16, 256]) << 10)
}

function changed(bytes: Buffer, seeds: readonly Buffer[], random: Random): Buffer {
  const at = random.below(bytes.length + 1)
  const to = Math.min(bytes.length, at + random.below(random.of([2, 20, 2000])))
  const [before, middle, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)]
  switch (random.below(8)) {
    case 0:
      return Buffer.concat([before, after])
    case 1:
      return Buffer.concat([before, middle, middle, after])
    case 2:
      return Buffer.concat([before, Buffer.from(random.of(TELLING), 'latin1'), after])
    case 3:
      return Buffer.concat([before, Buffer.from(random.of(STRANGE), 'latin1'), middle, after])
    case 4:
      return Buffer.concat([before, Buffer.from(middle.map(() => random.below(256))), after])
    case 5: {
      const other = random.of(seeds)
      return Buffer.concat([before, other.subarray(random.below(other.length + 1))])
    }
    case 6: {
      const flipped = Buffer.from(bytes)
      if (at < flipped.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8))
      return flipped
    }
    default: {
      const unit = middle.length === 0 ? Buffer.from(random.of(TELLING), 'latin1') : middle
      return Buffer.concat([
        before,
        Buffer.alloc(Math.min(unit.length * random.of([10, 1000, 50_000]), 64 << 10), unit),
        after,
      ])
    }
  }
}
