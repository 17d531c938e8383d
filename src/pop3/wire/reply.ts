// Status lines from a POP3 server → statuses and response codes (RFC 1939 §3, RFC 2449 §8, RFC 3206). Pure.
// Tolerant where servers differ harmlessly, strict where tolerance would let an answer that is out of step pass as a good one.
import { displayBytes } from '../../display.ts'
import { PopfetchError } from '../../errors.ts'

/** `continue`: `+ …`, a SASL challenge, legal only while one is under way. */
export type Status = 'ok' | 'err' | 'continue'

export interface Reply {
  readonly status: Status
  /** In upper case, such as `IN-USE` or `SYS/TEMP`; only directly after `-ERR `. Null: none, or an unknown one (P041). */
  readonly code: string | null
  /** The bytes after the status indicator, for challenges and APOP. Never printed. */
  readonly rest: Buffer
  /** The same, safe to print. */
  readonly text: string
}

/** Throws ERR_POP3_PROTOCOL for a line that is no POP3 status (P021, P023, P024, other servers and spellings). */
export function parseReply(line: Buffer): Reply {
  const head = line.subarray(0, 5).toString('latin1').toUpperCase()
  if (/^\+OK(?:[ \t\r]|$)/.test(head)) return reply('ok', line, 3)
  if (/^-ERR(?:[ \t\r]|$)/.test(head)) return reply('err', line, 4)
  if (/^\+(?:[ \t]|$)/.test(head)) return reply('continue', line, 1)
  throw new PopfetchError(
    'ERR_POP3_PROTOCOL',
    `not a POP3 answer: "${displayBytes(line, 80)}"${hint(head, line.toString('latin1', 0, 200))}`,
    {
      scope: 'account',
      retry: 'later',
    },
  )
}

function reply(status: Status, line: Buffer, indicatorBytes: number): Reply {
  let start = indicatorBytes
  while (line[start] === 0x20 || line[start] === 0x09) start++
  const rest = Buffer.from(line.subarray(start))
  return new ParsedReply(status, status === 'err' ? responseCode(rest) : null, rest)
}

/** Thousands come in a second, and hardly any text is read: it is made printable only when somebody asks for it. */
class ParsedReply implements Reply {
  readonly status: Status
  readonly code: string | null
  readonly rest: Buffer

  constructor(status: Status, code: string | null, rest: Buffer) {
    this.status = status
    this.code = code
    this.rest = rest
  }

  get text(): string {
    return displayBytes(this.rest)
  }
}

/** The roots of RFC 2449, 3206 and 6856, and Dovecot's referral. Anything else in brackets is text (P041). */
const KNOWN_CODES = ['IN-USE', 'LOGIN-DELAY', 'SYS', 'AUTH', 'UTF8', 'REFERRAL']

function responseCode(rest: Buffer): string | null {
  if (rest[0] !== 0x5b) return null
  const end = rest.subarray(0, 100).indexOf(0x5d)
  if (end < 2) return null
  const code = rest.toString('latin1', 1, end).trim().toUpperCase()
  return KNOWN_CODES.some((known) => codeIs(code, known)) ? code : null
}

function hint(head: string, line: string): string {
  if (head.startsWith('220')) return `: this looks like an ${/\bLMTP\b/i.test(line) ? 'LMTP' : 'SMTP'} server`
  if (head.startsWith('* OK') || head.startsWith('* BY') || head.startsWith('* PR'))
    return ': this looks like an IMAP server'
  if (head.startsWith('HTTP/')) return ': this looks like a web server or a captive portal'
  if (head.startsWith('SSH-')) return ': this looks like an SSH server'
  return ''
}

/** Is `code` the wanted one, or below it? `SYS/TEMP/FOO` counts as `SYS/TEMP` (RFC 2449 §8: a leaf counts as its parent). */
export function codeIs(code: string | null, wanted: string): boolean {
  return code !== null && (code === wanted || code.startsWith(`${wanted}/`))
}
