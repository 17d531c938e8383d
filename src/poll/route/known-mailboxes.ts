// The addresses of a collected mailbox that have a folder or file of their own. Whoever writes to a domain makes up addresses, and
// each would be a folder that nobody removes. This many get one, those of more go where it says `otherwise`. Pure.
import { hash } from 'node:crypto'

/** More people than share one mailbox, and few enough for every mail program to show. */
export const MOST_MAILBOXES = 500

export class KnownMailboxes {
  /** Short hashes: two that are equal share a permission, no folder. */
  readonly #known: Set<string>
  #changed = false

  constructor(fact: string | undefined) {
    this.#known = new Set(fact === undefined || fact === '' ? [] : fact.split(' '))
  }

  /** May it have a place of its own? Notes that it has. */
  admit(address: string): boolean {
    const name = hash('sha256', address.toLowerCase(), 'hex').slice(0, 8)
    if (this.#known.has(name)) return true
    if (this.#known.size >= MOST_MAILBOXES) return false
    this.#known.add(name)
    this.#changed = true
    return true
  }

  /** To be kept; null: nothing is new. */
  get fact(): string | null {
    return this.#changed ? [...this.#known].join(' ') : null
  }
}
