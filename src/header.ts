// Looks at the header of a message without trusting it: where it ends, what a field says, a fingerprint, a date.
// Works on bytes as received, at most the first 64 KiB; every function is linear and never throws. Nothing here decides
// whether a message is delivered, and nothing is ever rewritten (P119, P121).
import { hash } from 'node:crypto'
import { parseDateMs } from './header/date.ts'
import { HEADER_LIMIT_BYTES } from './header/limit.ts'

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const COLON = 58
const LETTER_A = 97
/** Makes the code of a capital that of its small letter. */
const LOWER = 32

/** Of these `headerFacts` asks, by the code of their first letter; all but `received` identify a message and are the same in TOP and
 *  in RETR. */
const ASKED: readonly (string | undefined)[] = byFirstLetter([
  'from',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'received',
])

/** What a server that keeps an mbox writes down in it (P128). */
const STATE: ReadonlySet<string> = new Set([
  'status',
  'x-status',
  'x-uid',
  'x-uidl',
  'x-keywords',
  'x-imap',
  'x-imapbase',
])

/** Somebody else may have written such a field, of any length. */
const NOTES_LIMIT_BYTES = 512

/** What servers add, count or rewrite between two fetches of one message (P127, P128). */
const VOLATILE: ReadonlySet<string> = new Set([
  ...STATE,
  'received',
  'return-path',
  'delivered-to',
  'x-mozilla-status',
  'x-mozilla-status2',
  'content-length',
  'lines',
])

/** The header with the line end of its last line, without the empty line after it. A message without an empty line is
 *  all header, one that begins with it has an empty one. A view of `bytes`, not a copy. */
export function splitHeader(bytes: Buffer): Buffer {
  return bytes.subarray(0, headerText(bytes).length)
}

/** The same as text, a character for each byte. */
function headerText(bytes: Buffer): string {
  if (bytes[0] === LF || (bytes[0] === CR && bytes[1] === LF)) return ''
  const head = bytes.length > HEADER_LIMIT_BYTES ? bytes.subarray(0, HEADER_LIMIT_BYTES) : bytes
  const beforeEmpty = head.indexOf('\n\r\n', 0, 'latin1')
  const upTo = head.toString('latin1', 0, beforeEmpty < 0 ? head.length : beforeEmpty + 1)
  // A lone LF ends a line in the file that a Maildir keeps, so it does here.
  const bare = upTo.indexOf('\n\n')
  if (bare >= 0) return upTo.slice(0, bare + 1)
  if (beforeEmpty >= 0 || bytes.length <= HEADER_LIMIT_BYTES) return upTo
  // Cut: a line that is there by half would not be what TOP gives.
  const lastLineEnd = upTo.lastIndexOf('\n')
  return lastLineEnd < 0 ? upTo : upTo.slice(0, lastLineEnd + 1)
}

/** 16 bytes that TOP n 0 and RETR agree on (P098, P128). They come from the SHA-256 of From, To, Cc, Subject, Date and
 *  Message-ID in their order, white space collapsed. Of all that is not volatile when a message has none of them. */
export function fingerprint(header: Buffer): Buffer {
  return identity(header).fingerprint
}

/** Through text: Node gives a buffer of its own for each, which costs more than the hash of a header. */
export function sha256(bytes: Buffer | string): Buffer {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'latin1')
}

/** What one look at a header tells; texts as `field` gives them. */
export interface HeaderFacts {
  readonly fingerprint: Buffer
  readonly messageId: string | null
  readonly from: string | null
  readonly subject: string | null
  readonly date: string | null
  /** As `receivedDateMs`. */
  readonly receivedMs: number | null
}

/** All that is asked of the header of every message, in one go: other fields are passed over by their first letter. */
export function headerFacts(header: Buffer): HeaderFacts {
  return factsOf(latin1(header))
}

/** The same of a whole message, and the length of what splitHeader gives. */
export function messageFacts(message: Buffer): HeaderFacts & { readonly headerBytes: number } {
  const text = headerText(message)
  return { ...factsOf(text), headerBytes: text.length }
}

function factsOf(text: string): HeaderFacts {
  let stable = ''
  let messageId: string | null = null
  let from: string | null = null
  let subject: string | null = null
  let date: string | null = null
  let received: string | null = null
  for (let start = 0, end = 0; start < text.length; start = end) {
    end = fieldEnd(text, start)
    const name = ASKED[text.charCodeAt(start) | LOWER]
    const begin = name === undefined ? -1 : valueStart(text, start, name)
    if (name === undefined || begin < 0) continue
    if (name === 'received') {
      received ??= text.slice(begin, end)
      continue
    }
    const value = trimmed(text, begin, end)
    stable += `${name}:${even(value)}\n`
    if (name === 'from') from ??= unfold(value)
    else if (name === 'subject') subject ??= unfold(value)
    else if (name === 'date') date ??= unfold(value)
    else if (name === 'message-id') messageId ??= unfold(value)
  }
  const receivedMs = received === null ? null : stampMs(received)
  return { fingerprint: fingerprintOf(stable, text), messageId, from, subject, date, receivedMs }
}

function byFirstLetter(names: readonly string[]): readonly (string | undefined)[] {
  const found: (string | undefined)[] = Array.from({ length: 256 }, () => undefined)
  for (const name of names) found[name.charCodeAt(0)] = name
  return found
}

/** Where the value of the field at `start` begins, if that is its name; else -1. As `fieldName` reads names. */
function valueStart(text: string, start: number, name: string): number {
  let at = start
  for (let index = 0; index < name.length; index++, at++) {
    const code = text.charCodeAt(at)
    const wanted = name.charCodeAt(index)
    if (code !== wanted && ((code | LOWER) !== wanted || wanted < LETTER_A)) return -1
  }
  while (isBlank(text.charCodeAt(at))) at++
  return text.charCodeAt(at) === COLON ? at + 1 : -1
}

/** The fingerprint and the Message-ID alone. */
export function identity(header: Buffer): Pick<HeaderFacts, 'fingerprint' | 'messageId'> {
  const { fingerprint: digest, messageId } = headerFacts(header)
  return { fingerprint: digest, messageId }
}

/** `stable`: what identifies the message; '': nothing does, and all that is not volatile counts. */
function fingerprintOf(stable: string, text: string): Buffer {
  let all = stable
  if (stable === '') {
    eachField(text, (name, value) => {
      if (!VOLATILE.has(name)) all += `${name}:${collapse(value)}\n`
    })
  }
  return Buffer.from(hash('sha256', all, 'binary').slice(0, 16), 'latin1')
}

/** How many bytes of the header are a server's own notes, line ends included; no more than such notes have. */
export function stateBytes(header: Buffer): number {
  let bytes = 0
  eachField(latin1(header), (name, value) => {
    if (STATE.has(name)) bytes += name.length + 1 + value.length
  })
  return Math.min(bytes, NOTES_LIMIT_BYTES)
}

/** The first such field's value, unfolded (RFC 5322 section 2.2.3), without white space around it; null without one. */
export function field(header: Buffer, name: string): string | null {
  const text = latin1(header)
  const wanted = name.toLowerCase()
  const at = nextOf(text, wanted, 0)
  return at === null ? null : unfold(text.slice(at.begin, at.end))
}

/** The same for several fields, in their order and in one go; names in lower case. */
export function firstFields(header: Buffer, names: readonly string[]): readonly (string | null)[] {
  const found: (string | null)[] = names.map(() => null)
  eachField(latin1(header), (name, value) => {
    const at = names.indexOf(name)
    if (at >= 0) found[at] ??= unfold(value)
  })
  return found
}

/** All such fields' values, unfolded, from the top. */
export function fields(header: Buffer, name: string): readonly string[] {
  const text = latin1(header)
  const wanted = name.toLowerCase()
  const found: string[] = []
  for (let at = nextOf(text, wanted, 0); at !== null; at = nextOf(text, wanted, at.end))
    found.push(unfold(text.slice(at.begin, at.end)))
  return found
}

/** When the server took the message, by the topmost `Received` field (RFC 5321 section 4.4: the part after the last
 *  semicolon). Null when that is missing or not a date of RFC 5322. The caller decides which dates are believable. */
export function receivedDateMs(header: Buffer): number | null {
  let dateMs: number | null = null
  eachField(latin1(header), (name, value) => {
    if (name !== 'received') return true
    dateMs = stampMs(value)
    return false
  })
  return dateMs
}

/** The date of a Received field. */
function stampMs(received: string): number | null {
  const semicolon = received.lastIndexOf(';')
  return semicolon < 0 ? null : parseDateMs(unfold(received.slice(semicolon + 1)))
}

/** Calls `visit` with each field in order, until that answers false. The name is in lower case, the value as it was, with folds
 *  and line end. A line that is no field (mbox `From `, text without a colon) has the name '' and is its own value. */
function eachField(text: string, visit: (name: string, value: string) => boolean | void): void {
  let colon = -1
  for (let start = 0, end = 0; start < text.length; start = end) {
    end = fieldEnd(text, start)
    // Looked for only when the last one found lies behind: lines without a colon must not cost the square of their number.
    if (colon < start) {
      colon = text.indexOf(':', start)
      if (colon < 0) colon = text.length
    }
    const name = colon < end ? fieldName(text, start, colon) : ''
    if (visit(name, text.slice(name === '' ? start : colon + 1, end)) === false) return
  }
}

/** Where the value of the first field of this name in lower case is, from `start` on, the beginning of a field; null: there is none. Most
 *  messages have few of those that are asked for: others are passed over by their first letter. */
function nextOf(text: string, name: string, start: number): { readonly begin: number; readonly end: number } | null {
  const letter = name.charCodeAt(0) | LOWER
  for (let at = start, end = start; at < text.length; at = end) {
    end = fieldEnd(text, at)
    const begin = (text.charCodeAt(at) | LOWER) === letter ? valueStart(text, at, name) : -1
    if (begin >= 0) return { begin, end }
  }
  return null
}

/** Behind the line end of the field that begins at `start`, and of its folds. */
function fieldEnd(text: string, start: number): number {
  let end = start
  do {
    const lineEnd = text.indexOf('\n', end)
    end = lineEnd < 0 ? text.length : lineEnd + 1
  } while (end < text.length && isBlank(text.charCodeAt(end)))
  return end
}

function fieldName(text: string, start: number, colon: number): string {
  let end = colon
  // RFC 5322 section 4.5.8: white space before the colon was allowed once.
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  const name = text.slice(start, end)
  return name.includes(' ') || name.includes('\t') ? '' : name.toLowerCase()
}

function unfold(value: string): string {
  const text = trim(value)
  return text.includes('\n') ? text.replaceAll(/\r?\n(?=[ \t])/g, '') : text
}

/** White space that is not one space already: in a few fields only. */
const UNEVEN = /[\t\r\n]| {2}/

function collapse(value: string): string {
  return even(trim(value))
}

/** Each white space is one space, in a text without any around it. */
function even(text: string): string {
  return UNEVEN.test(text) ? text.replaceAll(/[ \t\r\n]+/g, ' ') : text
}

/** White space of RFC 5322 only; a regular expression anchored at the end would be quadratic in blanks. */
function trim(value: string): string {
  return trimmed(value, 0, value.length)
}

/** A piece of `text`, without the white space around it. */
function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isSpace(text.charCodeAt(start))) start += 1
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB || code === CR || code === LF
}

function latin1(header: Buffer): string {
  return header.toString('latin1', 0, Math.min(header.length, HEADER_LIMIT_BYTES))
}
