// What a reader of argv found, in the form in which commands take it.
import type { Given } from '../command.ts'
import { valuesOf } from '../option.ts'

/** `found`: options by name, as the reader has them; their values are checked when a command asks for them. */
export function givenOf(words: readonly string[], found: Readonly<Record<string, unknown>>): Given {
  return { words, options: (table) => valuesOf(table, found) }
}
