// The command APPEND of a message, as bytes, and the answer to it. imapflow makes one of its own, which waits for the server's leave
// before a literal of more than 4 kB even where LITERAL+ spares that; this one goes at once, so that several may be on their way
// (RFC 7888). Pure.
import type { Refusal } from './imapflow.ts'

/** In front of the numbers of our commands; those of imapflow have digits alone. */
const TAG = 'popfetch'
const CRLF = Buffer.from('\r\n')
/** A small message is copied: one write costs less than three. */
const COPIED_BYTES = 64 * 1024

export interface Appending {
  /** The name as people read it. */
  readonly folder: string
  readonly flags: readonly string[]
  readonly date: Date | null
  /** A message with NUL goes as literal8, where the server has BINARY. */
  readonly binary: boolean
}

export function tagOf(number: number): string {
  return `${TAG}${number}`
}

/** In the order in which they are to be written. */
export function appendCommand(
  tag: string,
  bytes: Buffer,
  { folder, flags, date, binary }: Appending,
): readonly Buffer[] {
  const words = [
    tag,
    'APPEND',
    quoted(modifiedUtf7(folder)),
    ...(flags.length === 0 ? [] : [`(${flags.join(' ')})`]),
    ...(date === null ? [] : [`"${dateTime(date)}"`]),
    `${binary && bytes.includes(0) ? '~' : ''}{${bytes.length}+}\r\n`,
  ]
  const line = Buffer.from(words.join(' '), 'latin1')
  return bytes.length <= COPIED_BYTES ? [Buffer.concat([line, bytes, CRLF])] : [line, bytes, CRLF]
}

/** A question that only a server with LITERAL+ answers with OK: one that only says so takes what follows for commands, and then it
 *  is no message. */
export function literalProbe(tag: string): Buffer {
  return Buffer.from(`${tag} STATUS {5+}\r\nINBOX (UIDNEXT)\r\n`)
}

export interface Answer {
  readonly status: 'OK' | 'NO' | 'BAD'
  readonly code: string
  /** What stands in the code behind its name. */
  readonly values: string
  readonly text: string
}

/** The answer behind a tag; null: it is none. */
export function answerIn(line: string): Answer | null {
  const [, status = '', , code = '', values = '', text = ''] =
    /^(OK|NO|BAD)(?: (\[([^\] ]{1,64})(?: ([^\]]{0,512}))?\])?(.*))?$/is.exec(line) ?? []
  const word = status.toUpperCase()
  if (word !== 'OK' && word !== 'NO' && word !== 'BAD') return null
  return { status: word, code: code.toUpperCase(), values, text: text.trim() }
}

/** UIDPLUS (RFC 4315): the UID in `[APPENDUID validity uid]`; null: there is none that can be one. */
export function uidIn({ code, values }: Answer): number | null {
  const [, uid = '0'] = code === 'APPENDUID' ? (/^\d{1,10} (\d{1,10})$/.exec(values) ?? []) : []
  const number = Number(uid)
  return number > 0 && number <= 0xffff_ffff ? number : null
}

export function refusalIn({ status, code, text }: Answer): Refusal {
  return { status, code, text }
}

/** RFC 3501 5.1.3. */
export function modifiedUtf7(name: string): string {
  return name.replaceAll('&', '&-').replace(/[^ -~]+/g, (run) => {
    const wide = Buffer.from(run, 'utf16le').swap16()
    return `&${wide
      .toString('base64')
      .replace(/={1,2}$/, '')
      .replaceAll('/', ',')}-`
  })
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** RFC 3501, `date-time`, in UTC. */
function dateTime(date: Date): string {
  const day = String(date.getUTCDate()).padStart(2, '0')
  const time = date.toISOString().slice(11, 19)
  return `${day}-${MONTHS[date.getUTCMonth()] ?? 'Jan'}-${date.getUTCFullYear()} ${time} +0000`
}
