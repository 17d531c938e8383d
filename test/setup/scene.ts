// What an old configuration becomes: the text of the new file, looked at by our own parser and schema.
import { expect } from 'vitest'
import { assemble } from '../../src/config/assemble.ts'
import { parseText } from '../../src/config/document.ts'
import type { Written } from '../../src/config/values/written.ts'
import { draft } from '../../src/setup/draft.ts'
import { uidlsOf, type Imported, type SeenRecord } from '../../src/setup/imported.ts'

export interface NewFile {
  readonly text: string
  readonly accounts: Readonly<Record<string, Written>>
  readonly destinations: Readonly<Record<string, Written>>
  readonly root: Written
}

export const CONTEXT = { localUser: 'me', netrc: { password: () => null, login: () => null }, env: {} }

/** As it is in the file; fails when popfetch would not take that. */
export function written(imported: Imported, secrets: 'written' | 'elsewhere' = 'written'): NewFile {
  const { text } = draft(imported, { heading: ['heading'], settings: {}, secrets })
  const document = parseText(text)
  expect(document.problems, text).toEqual([])
  const root = document.root as Written
  expect(assemble(root, (path) => path).problems, text).toEqual([])
  return {
    text,
    root,
    accounts: (root['accounts'] ?? {}) as NewFile['accounts'],
    destinations: (root['destinations'] ?? {}) as NewFile['destinations'],
  }
}

/** The UIDLs that a record of an old tool has for a mailbox. */
export function seenIn(seen: SeenRecord | null | undefined, text: string): readonly string[] {
  return seen ? uidlsOf(seen, seen.listsOf(text)).map(({ uidl }) => uidl) : []
}
