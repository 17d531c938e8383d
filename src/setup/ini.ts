// The files of Python's configparser, as far as getmail reads them: sections, `key = value`, and continuation lines, which are
// indented more than their key. And the tuples of strings that stand in its values. Pure; nothing is evaluated.
import { filledLines, named, quotationEnd } from './text.ts'

export type Section = Readonly<Record<string, string>>

/** Sections by name; keys in lower case. Lines before the first section are left out. */
export function parseIni(text: string): Readonly<Record<string, Section>> {
  const sections = named<Record<string, string>>()
  let section: Record<string, string> | null = null
  let key: string | null = null
  /** Of the key that a line may go on with. A whole file may be indented. */
  let indent = 0
  for (const raw of filledLines(text)) {
    const line = raw.trim()
    if (/^(?:[#;]|$)/.test(line)) continue
    const here = raw.length - raw.trimStart().length
    if (section !== null && key !== null && here > indent) {
      section[key] = `${section[key] ?? ''}\n${line}`
      continue
    }
    indent = here
    const heading = /^\[([^\]]+)\]/.exec(line)?.[1]
    const sign = line.search(/[=:]/)
    if (heading !== undefined) {
      section = sections[heading] ??= named<string>()
      key = null
    } else if (section !== null) {
      // A line without a sign is no line of such a file. It counts as a key without a value, so that somebody is told of it.
      const end = sign > 0 ? sign : line.length
      key = line.slice(0, end).trimEnd().toLowerCase()
      section[key] = line.slice(end + 1).trim()
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

/** The sections with what [DEFAULT] says for all of them, as far as a section knows the key. `knows`: does it? */
export function withDefaults(
  sections: Readonly<Record<string, Section>>,
  knows: (section: string, key: string) => boolean,
): Readonly<Record<string, Section>> {
  const defaults = Object.entries(sections['DEFAULT'] ?? {})
  if (defaults.length === 0) return sections
  const filled = named<Section>()
  for (const [name, section] of Object.entries(sections)) {
    const own = named<string>()
    if (name !== 'DEFAULT') for (const [key, value] of defaults) if (knows(name, key)) own[key] = value
    filled[name] = Object.assign(own, section)
  }
  return filled
}
