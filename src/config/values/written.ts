// The configuration as it was written: plain values that no schema has looked at yet. And small types for both sides.

/** A mapping of the file: text, numbers, true and false, null, lists and mappings. */
export type Written = Readonly<Record<string, unknown>>

export function isWritten(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The key of a group of destinations, and the type and beginning of its name: its members are tried in their order. */
export const FIRST_OF = 'first-of'

/** The key of the program that prints accounts, and the name of what it prints in reports. */
export const ASKED = 'accountsFrom'

/** A key that cannot be combined with another one. */
export interface Conflict {
  readonly key: string
  /** The words after "expected". */
  readonly expected: string
}

/** What a schema gives, made read-only. A secret stays as it is. */
export type Frozen<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Frozen<Item>[]
    : T extends { reveal(): string }
      ? T
      : T extends object
        ? { readonly [Key in keyof T]: Frozen<T[Key]> }
        : T
