// The files of Python's configparser, as far as getmail reads them: sections, `key = value`, indented lines that go on; and
// the tuples of strings that stand in its values. Pure; nothing is evaluated.
import { filledLines, named, quotationEnd } from './text.ts'

export type Section = Readonly<Record<string, string>>

/** Sections by name; keys in lower case. Lines that are none of these are left out. */
export function parseIni(text: string): Readonly<Record<string, Section>> {
  const sections = named<Record<string, string>>()
  let section: Record<string, string> | null = null
  let key: string | null = null
  for (const line of filledLines(text)) {
    if (/^\s*(?:[#;]|$)/.test(line)) continue
    const heading = /^\[([^\]]+)\]/.exec(line)?.[1]
    const indented = /^\s/.test(line)
    const sign = indented ? -1 : line.search(/[=:]/)
    if (heading !== undefined) {
      section = sections[heading] ??= named<string>()
      key = null
    } else if (section !== null && sign > 0) {
      key = line.slice(0, sign).trimEnd().toLowerCase()
      section[key] = line.slice(sign + 1).trim()
    } else if (section !== null && key !== null && indented) {
      section[key] = `${section[key] ?? ''}\n${line.trim()}`
    }
  }
  return sections
}

/** The strings of `("a", 'b',)`, in order, also those of inner tuples. The last may lack its end. */
export function parseStrings(text: string): readonly string[] {
  const strings: string[] = []
  const quote = /['"]/g
  for (let found = quote.exec(text); found !== null; found = quote.exec(text)) {
    const end = quotationEnd(text, found.index)
    strings.push(unescaped(text.slice(found.index + 1, end)))
    quote.lastIndex = end + 1
  }
  return strings
}

function unescaped(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, character: string) =>
    character === 'n' ? '\n' : character === 't' ? '\t' : character,
  )
}
