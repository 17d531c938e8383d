// The words of a .fetchmailrc, as fetchmail's manual page describes them under "Run Control Syntax". Pure.

export interface Token {
  readonly text: string
  /** In quotes: never a keyword. */
  readonly quoted: boolean
  readonly line: number
}

/** Quoted strings may run over lines; `,` `;` and `:` are noise, `=` is a word of its own. */
const TOKEN = /#[^\n]*|"((?:[^"\\]|\\[\s\S])*)"|'((?:[^'\\]|\\[\s\S])*)'|(=)|([^\s,;:=]+)|\n/g

export function fetchmailTokens(text: string): readonly Token[] {
  const tokens: Token[] = []
  let line = 1
  for (const [all, double, single, equals, word] of text.matchAll(TOKEN)) {
    const string = double ?? single
    if (string !== undefined) tokens.push({ text: unescaped(string), quoted: true, line })
    else if (equals !== undefined) tokens.push({ text: equals, quoted: false, line })
    else if (word !== undefined) tokens.push({ text: unescaped(word), quoted: false, line })
    line += all.split('\n').length - 1
  }
  return tokens
}

const NAMED: Readonly<Record<string, string>> = { n: '\n', t: '\t', b: '\b', r: '\r' }

/** Decimal without a leading zero, octal with one, `\xhh`; a backslash at the end of a line joins it with the next. */
function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9A-Fa-f]{1,2})|0([0-7]{1,3})|([1-9]\d{0,2})|(\n)|([\s\S]))/g, (...match: string[]) => {
    const [, hex, octal, decimal, newline, character = ''] = match
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff)
    if (decimal !== undefined) return String.fromCharCode(Number(decimal) & 0xff)
    return newline === undefined ? (NAMED[character] ?? character) : ''
  })
}
