// What a person recognises a message by: From, Subject and Date of its header, decoded (RFC 2047). The header is not trusted, and
// nothing decoded here is ever delivered. Secrets are masked here: the ledger keeps it, and a server could repeat one in a field.
// What is given is not safe to print: display() makes it so.
import { parseDateMs } from './header/date.ts'
import { firstFields, headerFacts, type HeaderFacts } from './header.ts'
import type { Heading, Message, ReceivedFacts } from './message.ts'
import { redact } from './redact.ts'

const LIMIT = 200
/** A line of a header may be as long (RFC 5322, section 2.1.1). */
const MESSAGE_ID_LIMIT = 998
/** Longer fields are decoded up to here: so much may be in encoded words for LIMIT characters. */
const RAW_LIMIT = 4000

export function headingOf(header: Buffer): Heading {
  const [from = null, subject = null, date = null] = firstFields(header, ['from', 'subject', 'date'])
  return headingFrom({ from, subject, date })
}

/** The same, where these fields were read already. */
export function headingFrom({ from, subject, date }: Pick<HeaderFacts, 'from' | 'subject' | 'date'>): Heading {
  return {
    from: shown(from),
    subject: shown(subject),
    dateMs: date === null ? null : parseDateMs(date),
  }
}

/** What is remembered of a message beside its heading. */
export function receivedFacts({ sizeBytes, digest, fingerprint, messageId }: Message): ReceivedFacts {
  return { receivedBytes: sizeBytes, digest, fingerprint, messageId: masked(messageId) }
}

/** What is remembered of a message of which only the header was shown. */
export function shownFacts(
  header: Buffer,
): Pick<ReceivedFacts, 'fingerprint' | 'messageId'> & { readonly heading: Heading } {
  return keptOf(headerFacts(header))
}

/** What is remembered of a header, where it was read already. */
export function keptOf(
  facts: HeaderFacts,
): Pick<ReceivedFacts, 'fingerprint' | 'messageId'> & { readonly heading: Heading } {
  return { fingerprint: facts.fingerprint, messageId: masked(facts.messageId), heading: headingFrom(facts) }
}

function masked(messageId: string | null): string | null {
  if (messageId === null) return null
  return redact(messageId.slice(0, MESSAGE_ID_LIMIT), messageId.length > MESSAGE_ID_LIMIT ? 'end' : 'none')
}

function shown(value: string | null): string | null {
  if (value === null || value === '') return null
  const raw = value.length > RAW_LIMIT ? value.slice(0, RAW_LIMIT) : value
  // Before the cut, which could leave a piece of a secret.
  const text = redact(decoded(asText(raw)), raw.length < value.length ? 'end' : 'none')
  if (text.length <= LIMIT) return text
  return Array.from(text.slice(0, LIMIT * 2))
    .slice(0, LIMIT)
    .join('')
}

const ASCII = /^[\0-\x7f]*$/

/** Bytes as latin1 text: UTF-8 where they are (RFC 6532), else as they stand. */
function asText(value: string): string {
  if (ASCII.test(value)) return value
  const text = Buffer.from(value, 'latin1').toString('utf8')
  // A character that our own cut left incomplete does not make the rest wrong.
  return text.slice(0, -1).includes('\uFFFD') ? value : text
}

const WORD = /=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([bq])\?([^?\s]*)\?=/gi
/** White space between two encoded words is not shown (RFC 2047, section 6.2). */
const BETWEEN = /(\?=)\s+(?==\?[^?\s]{1,80}\?[bq]\?)/gi

function decoded(value: string): string {
  const last = value.lastIndexOf('=?')
  if (last < 0) return value
  const end = value.indexOf('?=')
  // Nearly always there is one word, or none is followed by another.
  const joined = end >= 0 && end < last ? value.replace(BETWEEN, '$1') : value
  return joined.replace(WORD, (word, charset: string, encoding: string, text: string) => {
    const bytes = encoding === 'b' || encoding === 'B' ? Buffer.from(text, 'base64').toString('latin1') : quoted(text)
    if (areTheirCharacters(bytes, charset)) return bytes
    try {
      return decoderOf(charset).decode(Buffer.from(bytes, 'latin1'))
    } catch {
      // A charset that nobody knows.
      return word
    }
  })
}

/** From 0xa0 on a byte is the character of that number too. All of these mean windows-1252 today (the Encoding Standard, 4.2). */
const LATIN: ReadonlySet<string> = new Set(['iso-8859-1', 'us-ascii', 'windows-1252'])
/** A byte up to 0x7f is the character of that number. */
const ASCII_AND_MORE: ReadonlySet<string> = new Set([...LATIN, 'utf-8'])
const WITHOUT_C1 = /^[\0-\x7f\xa0-\xff]*$/

/** Are they the characters that a decoder would make of them? Asked first, because a decoder takes longer than all the rest. */
function areTheirCharacters(bytes: string, charset: string): boolean {
  const name = charset.toLowerCase()
  return LATIN.has(name) ? WITHOUT_C1.test(bytes) : ASCII_AND_MORE.has(name) && ASCII.test(bytes)
}

/** Making one costs more than what it decodes. */
const decoders = new Map<string, InstanceType<typeof TextDecoder>>()
const MOST_DECODERS = 16

/** Throws RangeError where nobody knows the charset. */
function decoderOf(charset: string): InstanceType<typeof TextDecoder> {
  const before = decoders.get(charset)
  if (before !== undefined) return before
  const decoder = new TextDecoder(charset)
  if (decoders.size < MOST_DECODERS) decoders.set(charset, decoder)
  return decoder
}

/** A character for each byte. */
function quoted(text: string): string {
  const spaced = text.includes('_') ? text.replaceAll('_', ' ') : text
  let bytes = ''
  let done = 0
  for (let at = spaced.indexOf('='); at >= 0; at = spaced.indexOf('=', at + 1)) {
    const byte = hexDigit(spaced.charCodeAt(at + 1)) * 16 + hexDigit(spaced.charCodeAt(at + 2))
    if (byte < 0) continue
    bytes += spaced.slice(done, at) + String.fromCharCode(byte)
    done = at + 3
    at += 2
  }
  return bytes + spaced.slice(done)
}

/** Far below 0 where it is none. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1000
}
