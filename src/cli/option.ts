// The kinds of option, and what a value of each kind may be. A table of options says all that the readers of argv, help
// and completion need to know. Which options there are: common-options.ts, and options.ts of each command.
import { usageError } from './command-errors.ts'

/** Given or not given. */
interface Flag {
  readonly kind: 'flag'
  /** The letter by which it may be given, too. */
  readonly short?: string
  readonly describe: string
}

/** Any text but an empty one. `file`: a path, which a shell can complete. */
interface Text {
  readonly kind: 'text' | 'file'
  readonly short?: string
  /** What stands for its value in help; absent: the last word of its name. */
  readonly value?: string
  readonly describe: string
}

interface WholeNumber {
  readonly kind: 'number'
  readonly short?: string
  readonly least: 0 | 1
  readonly describe: string
}

/** One of these words. */
interface Choice<Word extends string> {
  readonly kind: 'choice'
  readonly short?: string
  readonly words: readonly Word[]
  readonly describe: string
}

export type Option = Flag | Text | WholeNumber | Choice<string>

/** Options by their names, without the hyphens in front. */
export type OptionTable = Readonly<Record<string, Option>>

type Value<Kind extends Option> = Kind extends Flag
  ? boolean
  : Kind extends WholeNumber
    ? number | null
    : Kind extends Choice<infer Word>
      ? Word | null
      : string | null

/** What was given for a table of options: false and null stand for what was not given. */
export type Values<Table extends OptionTable> = { readonly [Name in keyof Table]: Value<Table[Name]> }

export const flag = (describe: string) => ({ kind: 'flag', describe }) as const
/** `value`: what stands for it in help. */
export const text = (describe: string, value?: string) =>
  ({ kind: 'text', describe, ...(value === undefined ? {} : { value }) }) as const
export const file = (describe: string) => ({ kind: 'file', describe }) as const
export const wholeNumber = (least: 0 | 1, describe: string) => ({ kind: 'number', least, describe }) as const
export const choice = <const Word extends string>(words: readonly Word[], describe: string) =>
  ({ kind: 'choice', words, describe }) as const

/** Checks what a reader of argv found for these options. Throws ERR_USAGE for the first that is wrong. */
export function valuesOf<Table extends OptionTable>(
  table: Table,
  found: Readonly<Record<string, unknown>>,
): Values<Table> {
  const values = Object.entries(table).map(([name, option]) => [name, valueOf(option, `--${name}`, found[name])])
  return Object.fromEntries(values) as Values<Table>
}

function valueOf(option: Option, name: string, found: unknown): boolean | number | string | null {
  if (option.kind === 'flag') {
    if (found !== undefined && found !== true) throw usageError(`${name} takes no value`)
    return found === true
  }
  if (found === undefined) return null
  // A reader makes a list of an option that is repeated.
  if (typeof found !== 'string') throw usageError(`${name} is given twice`)
  switch (option.kind) {
    case 'text':
    case 'file':
      return nonEmpty(name, found)
    case 'choice':
      return oneOf(option.words, name, found)
    case 'number':
      if ((option.least === 0 ? /^\d{1,9}$/ : /^[1-9]\d{0,8}$/).test(found)) return Number(found)
      throw usageError(`${name} must be a whole number from ${option.least} to 999999999`)
  }
}

/** The word that `found` is. Throws ERR_USAGE, which calls it `name`. */
export function oneOf<Word extends string>(words: readonly Word[], name: string, found: string): Word {
  const word = words.find((each) => each === found)
  if (word === undefined) throw usageError(`${name} must be one of ${words.join(', ')}`)
  return word
}

/** `found`, unless it is empty. Throws ERR_USAGE, which calls it `name`. */
export function nonEmpty(name: string, found: string): string {
  if (found === '') throw usageError(`${name} needs a value`)
  return found
}
