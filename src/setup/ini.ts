// The files of Python's configparser, as far as getmail reads them: sections, `key = value`, indented lines that go on; and
// the tuples of strings that stand in its values. Pure; nothing is evaluated.

export type Section = Readonly<Record<string, string>>

/** Sections by name; keys in lower case. Lines that are none of these are left out. */
export function parseIni(text: string): Readonly<Record<string, Section>> {
  const sections: Record<string, Record<string, string>> = {}
  let section: Record<string, string> | null = null
  let key: string | null = null
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*[#;]/.test(line) || line.trim() === '') continue
    const heading = /^\[([^\]]+)\]/.exec(line)?.[1]
    const [, name, value] = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line) ?? []
    if (heading !== undefined) {
      section = sections[heading] ??= {}
      key = null
    } else if (section !== null && name !== undefined) {
      key = name.toLowerCase()
      section[key] = (value ?? '').trim()
    } else if (section !== null && key !== null && /^\s/.test(line)) {
      section[key] = `${section[key] ?? ''}\n${line.trim()}`
    }
  }
  return sections
}

const STRING = /[rRuUbB]{0,2}(?:'((?:[^'\\]|\\[\s\S])*)'|"((?:[^"\\]|\\[\s\S])*)")/g

/** The strings of `("a", 'b',)`, in order, also those of inner tuples. */
export function parseStrings(text: string): readonly string[] {
  return [...text.matchAll(STRING)].map(([, single, double]) =>
    (single ?? double ?? '').replace(/\\([\s\S])/g, (_, character: string) =>
      character === 'n' ? '\n' : character === 't' ? '\t' : character,
    ),
  )
}

/** `$HOME` in front becomes `~`; other variables stay, and the check of the new file names them. */
export function pathOf(text: string): string
export function pathOf(text: string | undefined): string | null
export function pathOf(text: string | undefined): string | null {
  return text === undefined ? null : text.replace(/^(?:\$HOME|\$\{HOME\})(?=\/|$)/, '~')
}
