// UIDLs as people read and type them. Pure. A UIDL is bytes (latin1 text, see Origin). Each is printed in one form, which
// can be typed or pasted back; the form in which display.ts prints one is understood too.

const ESCAPE = /\\x([0-9a-fA-F]{2})/g

/** ASCII without spaces: other bytes, and the backslash, as `\xNN`. */
export function printedUidl(uidl: string): string {
  return uidl.replace(/[^\x21-\x7e]|\\/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** The UIDLs that a word of the command line may mean, the most literal first, without duplicates. */
export function possibleUidls(word: string): readonly string[] {
  const asTyped = isBytes(word) ? [word] : []
  // A terminal sends UTF-8. A UIDL of such bytes is kept as latin1 text, a character for each byte.
  const asSent = Buffer.from(word, 'utf8').toString('latin1')
  const unescaped = isBytes(word) ? [bytesOf(word)] : []
  return [...new Set([...asTyped, asSent, ...unescaped, bytesOf(asSent)])]
}

function bytesOf(text: string): string {
  return text.replace(ESCAPE, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

function isBytes(text: string): boolean {
  return Buffer.from(text, 'latin1').toString('latin1') === text
}
