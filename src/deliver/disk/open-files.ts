// How many files may be open at the same time, and who may open many. A lane has hundreds open, and where the system allows few, others of
// this process would have none left: connections, the ledger, the mail of other accounts.
import fs from 'node:fs'

/** Of what the system allows: the rest is for all others. */
const SHARE = 0.5

/** How many files this process may have open at the same time. Node has raised it as far as it may. Infinity: the system does not say. */
export function mostOpenFiles(): number {
  try {
    const line = fs
      .readFileSync('/proc/self/limits', 'latin1')
      .split('\n')
      .find((each) => each.startsWith('Max open files'))
    const most = Number(line?.split(' ').filter((part) => part !== '')[3])
    return most > 0 ? most : Infinity
  } catch {
    return Infinity
  }
}

export class OpenFiles {
  readonly #most: () => number
  #lent = 0

  constructor(most: () => number = mostOpenFiles) {
    this.#most = most
  }

  /** Says whether so many more may be open. Those that may are to be given back. */
  lend(count: number): boolean {
    if (count > 0 && this.#lent + count > this.#most() * SHARE) return false
    this.#lent += count
    return true
  }

  give(count: number): void {
    this.#lent -= count
  }
}

/** One for the process. */
export const openFiles = new OpenFiles()
