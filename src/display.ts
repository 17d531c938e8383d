// The one way for foreign text (servers, senders, certificates, file names) to a person, a log or an error message.
// Nothing that could move a cursor, change a colour, reorder text or forge a line comes through (N027–N029).

const LIMIT = 200

// Controls, format characters (zero-width, bidirectional, tags, BOM, soft hyphen), lone surrogates, line and paragraph ends.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Most text is: looked at a character once, not in the tables of Unicode. */
const PLAIN = /^[ -~]*$/

/** Text safe to print: unsafe characters as `\xNN` or `\u{NNNN}`, cut at `limit` characters (default 200). */
export function display(text: string, limit = LIMIT): string {
  // Cut before escaping: the cost must not depend on what a stranger sent.
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text
  if (PLAIN.test(cut)) return cut
  return cut.replace(UNSAFE, (character) => {
    const point = character.codePointAt(0) ?? 0
    return point < 0x100 ? `\\x${point.toString(16).padStart(2, '0')}` : `\\u{${point.toString(16)}}`
  })
}

/** Bytes from the wire as safe text: UTF-8 where they are UTF-8, else every byte above ASCII as `\xNN` (P157). */
export function displayBytes(bytes: Uint8Array, limit = LIMIT): string {
  // No character has more than three bytes per UTF-16 unit, so that a cut here always shows as a cut below.
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, limit * 4))
  const isWhole = head.length === bytes.byteLength
  try {
    // `stream` forgives a character that our own cut left incomplete, and only that.
    const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(head, { stream: !isWhole })
    return display(utf8, limit)
  } catch {
    return display(head.toString('latin1'), limit).replace(
      /[\u0080-\u00ff]/g,
      (c) => `\\x${c.charCodeAt(0).toString(16)}`,
    )
  }
}
