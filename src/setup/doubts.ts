// What the reader of an old file could not read with certainty. A word that nobody knows may mean "keep", and a guess may empty a
// mailbox (M001, deleted at once).
// One rule: after a doubt nothing is deleted, and a person is told.
import { display } from '../display.ts'

const SHOWN = 30

export class Doubts {
  readonly warnings: string[] = []

  /** `what`: without a secret. */
  note(what: string): void {
    this.warnings.push(`${what}: nothing is deleted (delete: never) until you write what you want`)
  }

  /** `value` is no word for `name` that popfetch knows. */
  unknownWord(name: string, value: string): void {
    this.note(`${name} ${display(value, SHOWN)}: popfetch does not know this word`)
  }

  /** A switch that knows exactly its words; anything else is a doubt, and stays as without it. */
  switched(name: string, value: string | undefined, { on, off }: SwitchWords, otherwise: boolean): boolean {
    if (value === undefined) return otherwise
    if (on.includes(value)) return true
    if (!off.includes(value)) this.unknownWord(name, value)
    return off.includes(value) ? false : otherwise
  }

  /** Only digits; 0 for a value that is missing or doubtful. */
  count(name: string, value: string | undefined): number {
    if (value === undefined) return 0
    if (/^\d{1,12}$/.test(value)) return Number(value)
    this.unknownWord(name, value)
    return 0
  }

  /** What becomes of `delete`. */
  deletion(policy: string): string {
    return this.warnings.length === 0 ? policy : 'never'
  }
}

export interface SwitchWords {
  readonly on: readonly string[]
  readonly off: readonly string[]
}
