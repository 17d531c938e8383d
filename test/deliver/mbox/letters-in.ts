// An mbox as a reader takes it apart.
import { expect } from 'vitest'
import { unquoted } from '../../../src/deliver/mbox/mboxrd.ts'

/** The messages without what popfetch put on top, by the form of the file itself; fails where it is not an mbox. */
export function lettersIn(text: string): string[] {
  if (text === '') return []
  expect(text).toMatch(/^From [^\n]+\n/)
  expect(text.endsWith('\n\n')).toBe(true)
  return text
    .slice(0, -1)
    .split(/(?:^|\n)From [^\n]+\n/)
    .slice(1)
    .map((one) =>
      unquoted(one.replace(/^Received: [^\n]*\n\t[^\n]*\n/, '').replace(/^X-Popfetch-Delivery: [^\n]*\n/, '')),
    )
}
