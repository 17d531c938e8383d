// Chance that can be had again: all of it follows from the seed, the world's number, and what is asked about. So it does not
// depend on which of two connections was faster.
import { createHash } from 'node:crypto'

export class Chance {
  readonly #name: string
  #drawn = 0

  constructor(...name: readonly (string | number)[]) {
    this.#name = name.join(' ')
  }

  /** From 0 to 1: always the same for the same question. */
  of(...question: readonly (string | number)[]): number {
    const digest = createHash('sha256')
      .update(`${this.#name}\0${question.join(' ')}`)
      .digest()
    return digest.readUInt32BE(0) / 2 ** 32
  }

  /** The next number from 0 to 1. */
  readonly next = (): number => this.of('drawn', this.#drawn++)

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  pick<T>(all: readonly T[]): T {
    const found = all[this.below(all.length)]
    if (found === undefined) throw new Error('nothing to pick from')
    return found
  }
}
