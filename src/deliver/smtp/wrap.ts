// `wrap: when-refused`: a message that a server refuses for its form or its author. It goes as an attachment of a new message that
// has no such fault. Whether a refusal is of that kind says the table of answers. What the new message is, is said here; nodemailer
// composes it. The rule: only after a refusal, and for its form only where the message has the fault that the refusal is about.
import { isAscii, isUtf8 } from 'node:buffer'
import { Readable } from 'node:stream'
import { display } from '../../display.ts'
import { field, fields } from '../../header.ts'
import { hostToken } from '../envelope.ts'
import { type Content, NewlineRepair, receivedChunks, streamedContent } from './content.ts'
import type { Fault } from './fault.ts'
import type { Letter } from './letter.ts'
import { compose } from './nodemailer.ts'
import { said } from './text.ts'

/** RFC 5322 2.1.1: without its line end. */
const LINE_BYTES = 998
const SUBJECT_LENGTH = 150
const LF = 0x0a

const EIGHT_BIT = '8-bit characters'
const NUL = 'a NUL'
const BARE = 'a bare CR or LF'
const LONG_LINE = `a line over ${LINE_BYTES} bytes`
const NO_FIELD = 'a header line that is not a field'
/** RFC 5322 3.6: each of them once; servers ask for Message-ID, too. */
const ONCE = ['From', 'Date', 'Message-ID'] as const

/** What a refusal names, and the faults that it may mean. One that names nothing may mean any. */
const NAMED: readonly (readonly [RegExp, (fault: string) => boolean])[] = [
  [/(?:8|eight)[ -]?bit|non-?ascii|utf-?8|unicode|internationali[sz]ed/i, (fault) => fault === EIGHT_BIT],
  [/\bNULs?\b|null (?:byte|char|octet)/i, (fault) => fault === NUL],
  [/bare (?:CR|LF|carriage|line|new)/i, (fault) => fault === BARE],
  [/\blines?\b.{0,40}\b(?:long|length)|long lines?\b|line limit/i, (fault) => fault === LONG_LINE],
  ...ONCE.map((name) => [new RegExp(`\\b${name}\\b`, 'i'), (fault: string) => fault.endsWith(name)] as const),
]

/** What of `found` a refusal with these words may be about. */
export function meant(words: string, found: readonly string[]): readonly string[] {
  const named = NAMED.filter(([pattern]) => pattern.test(words))
  return named.length === 0 ? found : found.filter((fault) => named.some(([, means]) => means(fault)))
}

/** What servers find fault with in a header, in words; []: nothing. */
export function headerFaults(header: Buffer): readonly string[] {
  const faults = ONCE.flatMap((name) => {
    const { length } = fields(header, name)
    return length === 0 ? [`no ${name}`] : length > 1 ? [`more than one ${name}`] : []
  })
  const lines = header.toString('latin1').split(/\r\n|\r|\n/)
  const isField = (line: string, at: number): boolean =>
    /^(?:[!-9;-~]+[ \t]*:|[ \t]|$)/.test(line) || (at === 0 && /^>?From /.test(line))
  return lines.every(isField) ? faults : [...faults, NO_FIELD]
}

/** What servers find fault with in the bytes of a message, in words; []: nothing. */
export async function oddities(chunks: AsyncIterable<Buffer>): Promise<readonly string[]> {
  const found = new Set<string>()
  const repair = new NewlineRepair()
  // Bytes of the line that is under way, its CR included.
  let lineBytes = 0
  for await (const chunk of chunks) {
    repair.repair(chunk)
    if (!isAscii(chunk)) found.add(EIGHT_BIT)
    if (chunk.includes(0)) found.add(NUL)
    let start = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      if (lineBytes + end - start > LINE_BYTES + 1) found.add(LONG_LINE)
      lineBytes = 0
      start = end + 1
    }
    lineBytes += chunk.length - start
    if (lineBytes > LINE_BYTES + 1) found.add(LONG_LINE)
  }
  repair.end()
  if (repair.repaired) found.add(BARE)
  return [...found]
}

/** The message as an attachment, with the same fields on top. Null where that cannot help: a server that says something of its
 *  form had no reason. For an author's sake it always may. */
export async function wrapped(
  letter: Letter,
  { fault, about }: { readonly fault: Fault; readonly about: 'form' | 'author' },
  by: { readonly description: string; readonly hostName: string; readonly nowMs: number },
): Promise<Content | null> {
  const { attempt, message, ownSender, recipient, prefix } = letter
  const odd = about === 'author' ? [] : [...(await oddities(receivedChunks(message))), ...headerFaults(message.header)]
  const found = fault.kind === 'content' ? odd : meant(fault.text, odd)
  if (about === 'form' && found.length === 0) return null
  const has = found.length === 0 ? '' : ` has ${found.join(', ')}, and`
  const id = message.digest.toString('hex').slice(0, 32)
  const cover = {
    from: { name: 'popfetch', address: ownSender === '' ? recipient : ownSender },
    to: recipient,
    subject: `Message as an attachment: ${subjectOf(message.header)}`,
    date: new Date(by.nowMs),
    // The same for the same message, so that whoever gets it twice can tell (D051).
    messageId: `<popfetch.${id}@${hostToken(by.hostName)}>`,
    text:
      `A message to the account ${display(attempt.origin.account)}${has} was not accepted as it is:\n\n` +
      `${by.description}: ${said(fault.text)}\n\nIt is attached, byte for byte as it was received.\n`,
    baseBoundary: id,
  }
  const attachment = {
    filename: 'message.eml',
    contentType: 'message/rfc822',
    contentDisposition: 'attachment',
    // RFC 2046 5.2.1 allows no encoding here. But unencoded it would be refused again, and Exchange does the same.
    contentTransferEncoding: 'base64',
  } as const
  return streamedContent(prefix, () =>
    compose({ ...cover, attachments: [{ ...attachment, content: Readable.from(receivedChunks(message)) }] }),
  )
}

function subjectOf(header: Buffer): string {
  const text = field(header, 'Subject')
  if (text === null) return '(no subject)'
  const bytes = Buffer.from(text, 'latin1')
  return display(isUtf8(bytes) ? bytes.toString() : text, SUBJECT_LENGTH)
}
