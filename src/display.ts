// The one way for foreign text (servers, senders, certificates, file names) to a person, a log or an error message.
// Nothing that could move a cursor, change a colour, reorder text or forge a line comes through (N027–N029).

const LIMIT = 200

// C0, DEL, C1; soft hyphen, zero-width and bidirectional controls, line and paragraph separators, BOM, tags.
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs}/gu

/** Text safe to print: unsafe characters as `\xNN` or `\u{NNNN}`, cut at `limit` characters (default 200). */
export function display(text: string, limit = LIMIT): string {
  // Cut before escaping: the cost must not depend on what a stranger sent.
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text
  return cut.replace(UNSAFE, (character) => {
    const point = character.codePointAt(0) ?? 0
    return point < 0x100 ? `\\x${point.toString(16).padStart(2, '0')}` : `\\u{${point.toString(16)}}`
  })
}

/** Bytes from the wire as safe text: UTF-8 where they are UTF-8, else every byte above ASCII as `\xNN` (P157). */
export function displayBytes(bytes: Uint8Array, limit = LIMIT): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, limit * 4))
  try {
    // `stream: true` forgives a character cut in two at the end of the head.
    return display(new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true }), limit)
  } catch {
    const latin1 = head.toString('latin1').slice(0, limit)
    return display(latin1, limit).replace(/[\u0080-\u00ff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`)
  }
}
