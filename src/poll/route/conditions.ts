// Does a message meet the conditions of a rule of `route`? Pure. The header is decoded only to be compared; the message is
// delivered as it was received. One rule: whatever a sender wrote, comparing it takes time that grows with its length and
// no faster, and never fails. A field that cannot be decoded is compared as it stands.
import { addressParser, decodeWords, type Address } from 'postal-mime'
import type { Pattern, When } from '../../config/schema.ts'
import { fields } from '../../header.ts'
import type { Message } from '../../message.ts'

/** Longer fields are compared up to here: no subject or address is as long. */
const FIELD_LIMIT = 16_384

/** Does the message meet every condition? */
export function fits({ from, to, subject, header, size }: When, message: Message): boolean {
  const { sizeBytes } = message
  if (size !== null && !(size.than === 'larger' ? sizeBytes > size.bytes : sizeBytes < size.bytes)) return false
  return (
    (from === null || anyAddress(from, ['From'], message)) &&
    (to === null || anyAddress(to, ['To', 'Cc', 'Bcc'], message)) &&
    (subject === null || any(subject, values(message, 'Subject').map(decoded))) &&
    header.every(({ name, pattern }) => any(pattern, values(message, name).map(decoded)))
  )
}

/** `*` stands for any text, all else for itself in any case; the whole of `text` must fit. */
export function matches(pattern: Pattern, text: string): boolean {
  const [first = '', ...pieces] = folded(pattern).split('*')
  const subject = folded(text)
  const last = pieces.pop()
  if (last === undefined) return subject === first
  if (!subject.startsWith(first)) return false
  let at = first.length
  // Each piece where it is first leaves the most for those that follow.
  for (const piece of pieces) {
    const found = subject.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return subject.length - last.length >= at && subject.endsWith(last)
}

function folded(text: string): string {
  return text.normalize('NFC').toLowerCase()
}

function any(pattern: Pattern, texts: readonly string[]): boolean {
  return texts.some((text) => matches(pattern, text))
}

/** One of the addresses in these fields, or the whole of one field. */
function anyAddress(pattern: Pattern, names: readonly string[], message: Message): boolean {
  const found = names.flatMap((name) => values(message, name))
  return any(pattern, found.flatMap(addresses)) || any(pattern, found.map(decoded))
}

function values({ header }: Message, name: string): readonly string[] {
  return fields(header, name).map((value) => asText(value.slice(0, FIELD_LIMIT)))
}

function addresses(value: string): readonly string[] {
  try {
    return addressParser(value).flatMap(mailboxes)
  } catch {
    return []
  }
}

function mailboxes({ address, group }: Address): readonly string[] {
  return [...(address === undefined ? [] : [address]), ...(group ?? []).map((member) => member.address)]
}

function decoded(value: string): string {
  try {
    return decodeWords(value)
  } catch {
    return value
  }
}

/** Bytes as latin1 text: UTF-8 where they are (RFC 6532), else as they stand. */
function asText(value: string): string {
  const text = Buffer.from(value, 'latin1').toString('utf8')
  return text.includes('\uFFFD') ? value : text
}
