// `wrap: when-refused`: a message that a server refuses for its bytes goes as an attachment of a new message instead, which
// nothing can find fault with. Decides whether a refusal is of that kind, and says what the new message is; nodemailer
// composes it. The rule: only after a refusal, and only where the message has what the refusal is about.
import { isAscii, isUtf8 } from 'node:buffer'
import { Readable } from 'node:stream'
import { display } from '../../display.ts'
import { field } from '../../header.ts'
import { hostToken } from '../envelope.ts'
import { type Content, NewlineRepair, receivedChunks, streamedContent } from './content.ts'
import type { SmtpFailure } from './fault.ts'
import type { Letter } from './letter.ts'
import { compose } from './nodemailer.ts'
import { said } from './text.ts'

/** RFC 5322 2.1.1: without its line end. */
const LINE_BYTES = 998
const LONG_LINE = `a line over ${LINE_BYTES} bytes`
const SUBJECT_LENGTH = 150
const LF = 0x0a

/** RFC 3463 3.7 (X.6: message content or media) and RFC 6531; words for servers without these codes. */
const CONTENT_CODE = /^5\d\d[ -]5\.6\.\d/
const CONTENT_WORDS =
  /\b(?:8|eight)[ -]?bit|8BITMIME|non-?ascii|lines?\b.{0,40}\btoo long|line length|long lines?\b|\bNULs?\b|null (?:byte|char|octet)|bare (?:CR|LF|carriage|line)|utf-?8|unicode|internationali[sz]ed/i

/** Whether a refusal may be about the bytes of a message. */
export function isAboutBytes({ step, fault }: SmtpFailure): boolean {
  if (fault.kind === 'content') return true
  if (fault.kind !== 'reply' || fault.code < 500) return false
  if (step !== 'MAIL' && step !== 'DATA' && step !== 'dot') return false
  return CONTENT_CODE.test(fault.text) || CONTENT_WORDS.test(fault.text)
}

/** What servers find fault with in the bytes of a message, in words; []: nothing. */
export async function oddities(chunks: AsyncIterable<Buffer>): Promise<readonly string[]> {
  const found = new Set<string>()
  const repair = new NewlineRepair()
  // Bytes of the line that is under way, its CR included.
  let lineBytes = 0
  for await (const chunk of chunks) {
    repair.repair(chunk)
    if (!isAscii(chunk)) found.add('8-bit characters')
    if (chunk.includes(0)) found.add('a NUL')
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
  if (repair.repaired) found.add('a bare CR or LF')
  return [...found]
}

/** The message as an attachment, with the same fields on top; null when a server had no reason to find fault with it. */
export async function wrapped(
  letter: Letter,
  refusal: SmtpFailure,
  by: { readonly description: string; readonly hostName: string; readonly nowMs: number },
): Promise<Content | null> {
  const { attempt, message, ownSender, recipient, prefix } = letter
  const found = await oddities(receivedChunks(message))
  if (found.length === 0) return null
  const id = message.digest.toString('hex').slice(0, 32)
  const cover = {
    from: { name: 'popfetch', address: ownSender === '' ? recipient : ownSender },
    to: recipient,
    subject: `Message as an attachment: ${subjectOf(message.header)}`,
    date: new Date(by.nowMs),
    // The same for the same message, so that whoever gets it twice can tell (D051).
    messageId: `<popfetch.${id}@${hostToken(by.hostName)}>`,
    text:
      `A message to the account ${display(attempt.origin.account)} has ${found.join(', ')}, and was not taken as it is:\n\n` +
      `${by.description}: ${said(refusal.fault.text)}\n\nIt is attached, byte for byte as it was received.\n`,
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
