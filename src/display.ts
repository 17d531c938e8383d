// The one way for foreign text (servers, senders, certificates, file names) to a person, a log or an error message.
// Nothing that could move a cursor, change a colour, reorder text or forge a line comes through (N027–N029), and no secret.
// It is masked here, before anything is cut off or escaped, and before anybody keeps the text.
import { type Cut, redact } from './redact.ts'

const LIMIT = 200

// Controls, format characters (zero-width, bidirectional, tags, BOM, soft hyphen), lone surrogates, line and paragraph ends. Made
// where it is needed, for it takes V8 a while (readings.ts).
const unsafe = (): RegExp => /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Most text is: looked at a character once, not in the tables of Unicode. */
const PLAIN = /^[ -~]*$/

/** Beyond the limit so much is looked at, to know a secret that begins in front of it: 16 characters, each as `\u{NNNNN}`. */
const BEYOND = 256

/** Text safe to print: secrets masked, unsafe characters as `\xNN` or `\u{NNNN}`, cut at `limit` characters (default 200).
 *  `cutBefore`: where the text itself is known to be a piece of a longer one. */
export function display(text: string, limit = LIMIT, cutBefore: Cut = 'none'): string {
  // Cut before masking and escaping: the cost must not depend on what a stranger sent.
  const isLong = text.length > limit + BEYOND
  const masked = redact(isLong ? text.slice(0, limit + BEYOND) : text, isLong ? withEnd(cutBefore) : cutBefore)
  return escaped(isLong && masked.length <= limit ? `${masked}…` : masked, limit)
}

/** The same without masking: for text of our own, and for what has been through display() already. */
export function escaped(text: string, limit = LIMIT): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text
  if (PLAIN.test(cut)) return cut
  return cut.replace(unsafe(), (character) => {
    const point = character.codePointAt(0) ?? 0
    return point < 0x100 ? `\\x${point.toString(16).padStart(2, '0')}` : `\\u{${point.toString(16)}}`
  })
}

function withEnd(cut: Cut): Cut {
  return cut === 'start' || cut === 'both' ? 'both' : 'end'
}

/** Bytes from the wire as safe text: UTF-8 where they are UTF-8, else every byte above ASCII as `\xNN` (P157). */
export function displayBytes(bytes: Uint8Array, limit = LIMIT, cutBefore: Cut = 'none'): string {
  // No character has more than three bytes per UTF-16 unit, so that a cut here always shows as a cut below.
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, (limit + BEYOND) * 4))
  const isWhole = head.length === bytes.byteLength
  try {
    // `stream` forgives a character that our own cut left incomplete, and only that.
    const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(head, { stream: !isWhole })
    return display(utf8, limit, cutBefore)
  } catch {
    return display(head.toString('latin1'), limit, cutBefore).replace(
      /[\u0080-\u00ff]/g,
      (c) => `\\x${c.charCodeAt(0).toString(16)}`,
    )
  }
}

/** Of what a program wrote, the last line: it says most, and those before it only lead up to it. Only the end of much output is
 *  kept, which may begin within a secret. */
export function displayLastLine(words: Buffer, limit = LIMIT): string {
  const text = words.toString('utf8').trim()
  return display(text.slice(text.lastIndexOf('\n') + 1), limit, 'start')
}

/** `20000` → `20,000`. */
export function grouped(count: number): string {
  // Not toLocaleString: what it loads at its first use takes as long as two hundred messages.
  const digits = String(count)
  let text = digits.slice(-3)
  for (let end = digits.length - 3; end > 0; end -= 3) text = `${digits.slice(Math.max(0, end - 3), end)},${text}`
  return text
}

/** `2026-11-24 12:34:56`, where popfetch runs. */
export function localTime(ms: number): string {
  const date = dateOf(ms)
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** `2026-11-24 12:34 CET`, where popfetch runs: for a time that is in a sentence, which may be read elsewhere. */
export function localStamp(ms: number): string {
  return `${localTime(ms).slice(0, -3)} ${zoneName(ms)}`
}

/** The same, and of today only the clock: `12:34 CET`. */
export function localClock(ms: number, nowMs: number): string {
  const [stamp, today] = [localStamp(ms), localTime(nowMs).slice(0, 11)]
  return stamp.startsWith(today) ? stamp.slice(today.length) : stamp
}

/** `CET`, `EST`, `UTC`; where English has no letters for it, `UTC+5:30`. */
function zoneName(ms: number): string {
  const names = ['en-US', 'en-GB', 'en-AU'].map(
    (locale) =>
      new Intl.DateTimeFormat(locale, { timeZoneName: 'short' })
        .formatToParts(dateOf(ms))
        .find(({ type }) => type === 'timeZoneName')?.value ?? '',
  )
  const [usual = ''] = names
  return names.find((name) => /^[A-Z]{2,5}$/.test(name)) ?? usual.replace('GMT', 'UTC')
}

// Beyond this a Date is invalid (ECMAScript 21.4.1.1). A ledger that was written under a broken clock is shown all the same.
const LAST_DATE_MS = 8.64e15

function dateOf(ms: number): Date {
  return new Date(Math.max(-LAST_DATE_MS, Math.min(LAST_DATE_MS, ms)))
}
