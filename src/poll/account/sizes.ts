// Do the announced and the received size of a message agree? Sizes are hints (P101), and yet a body clearly shorter than
// announced is the only sign of a server that lost the rest (P108), one clearly longer of answers out of step (P148).
// Pure.

export type SizeVerdict = 'agrees' | 'short' | 'long'

/** Servers count line ends as one byte or two, round to blocks, leave out fields of their own. */
const SLACK_BYTES = 1024

/** `exact`: this account's sizes have been exact so far; else only the impossible counts: nothing where something was. */
export function compareSizes(announced: number | null, received: number, exact: boolean): SizeVerdict {
  if (announced === null) return 'agrees'
  if (received === 0 && announced > 2) return 'short'
  if (!exact) return 'agrees'
  if (received < announced * 0.9 - SLACK_BYTES) return 'short'
  return received > announced * 2 + SLACK_BYTES ? 'long' : 'agrees'
}

/** Watches whether a server's sizes are exact: one that differs in a small way never was, and proves nothing later. */
export class SizeWatch {
  #exact: boolean

  constructor(exactSoFar: boolean) {
    this.#exact = exactSoFar
  }

  get exact(): boolean {
    return this.#exact
  }

  /** A message is in. */
  judge(announced: number | null, received: number): SizeVerdict {
    const verdict = compareSizes(announced, received, this.#exact)
    if (verdict === 'agrees' && announced !== null && announced !== received) this.#exact = false
    return verdict
  }
}
