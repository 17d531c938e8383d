// Do the announced and the received size of a message agree? Announced sizes are hints (P101). Yet a body clearly shorter than
// announced is the only sign that a server lost the rest (P108). A clearly longer one is the only sign of answers out of step
// (P148). Pure.

export type SizeVerdict = 'agrees' | 'short' | 'long'

/** Servers count line ends as one byte or two, round to blocks, leave out fields of their own. */
const SLACK_BYTES = 1024

/** `exact`: this account's sizes have been exact so far. Else only an empty body counts, where something was announced. */
export function compareSizes(announced: number | null, received: number, exact: boolean): SizeVerdict {
  if (announced === null) return 'agrees'
  if (received === 0 && announced > 2) return 'short'
  if (!exact) return 'agrees'
  if (received < announced * 0.9 - SLACK_BYTES) return 'short'
  return received > announced * 2 + SLACK_BYTES ? 'long' : 'agrees'
}

/** Watches whether a server's sizes are exact. After a small difference, sizes no longer prove anything. */
export class SizeWatch {
  #exact: boolean

  constructor(exactSoFar: boolean) {
    this.#exact = exactSoFar
  }

  get exact(): boolean {
    return this.#exact
  }

  /** A message of `received` bytes is complete. */
  judge(announced: number | null, received: number): SizeVerdict {
    const verdict = compareSizes(announced, received, this.#exact)
    if (verdict === 'agrees' && announced !== null && announced !== received) this.#exact = false
    return verdict
  }
}
