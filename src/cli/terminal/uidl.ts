// UIDLs between the ledger and a person. Pure. They are bytes (latin1 text, see Origin): printed so that each has one form and
// that form can be typed or pasted back; read so that what other output printed (display.ts) is understood too.

const ESCAPE = /\\x([0-9a-fA-F]{2})/g

/** ASCII without spaces: other bytes, and the backslash, as `\xNN`. */
export function printedUidl(uidl: string): string {
  return uidl.replace(/[^\x21-\x7e]|\\/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** What a word of the command line may mean, the most literal first, without duplicates. */
export function possibleUidls(word: string): readonly string[] {
  const asTyped = isBytes(word) ? [word] : []
  // A terminal sends UTF-8; a UIDL with such bytes is latin1 text of them here.
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
