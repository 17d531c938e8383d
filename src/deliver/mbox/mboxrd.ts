// The form of a message in an mbox (RFC 4155, the variant called mboxrd). A From_ line, the message with LF line ends, and an empty
// line. Every line of the message that looks like a From_ line, quoted or not, gets one more `>`. Pure. One rule: taking one `>`
// away gives back the message, to the byte (D102).
import { crlfToLf } from '../disk/line-endings.ts'

const CR = 13
const LF = 10

/** `sender` is plainly an address, or '' for none. In UTC and without a locale, as RFC 4155 has it. */
export function fromLine(sender: string, atMs: number): string {
  const [, weekday, day, month, year, time] =
    /^(\w{3}), (\d\d) (\w{3}) (\d{4}) ([\d:]{8})/.exec(new Date(atMs).toUTCString()) ?? []
  return `From ${sender === '' ? 'MAILER-DAEMON' : sender} ${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}\n`
}

/** Brings one message into form, as it comes in chunks. */
export class MboxrdBody {
  /** Of the message with LF line ends, before quoting. */
  bytes = 0
  readonly #lineEndings: 'crlf' | 'lf'
  #heldCr = false
  /** Has everything since the last line end been `>`? Then a From_ line may begin. */
  #open = true
  /** The beginning of `From ` after that. */
  #held = ''
  #last = LF

  /** `lineEndings`: of the chunks. */
  constructor(lineEndings: 'crlf' | 'lf') {
    this.#lineEndings = lineEndings
  }

  push(chunk: Buffer): Buffer {
    if (this.#lineEndings === 'lf') return this.#quote(chunk)
    const all = this.#heldCr ? Buffer.concat([Buffer.of(CR), chunk]) : chunk
    const out = Buffer.allocUnsafe(all.length)
    const length = crlfToLf(all, out)
    this.#heldCr = out[length - 1] === CR && length > 0
    return this.#quote(out.subarray(0, this.#heldCr ? length - 1 : length))
  }

  /** What is left, a line end where the last one is missing, and the empty line. */
  end(): Buffer {
    const rest = this.#heldCr ? this.#quote(Buffer.of(CR)) : Buffer.alloc(0)
    const held = Buffer.from(this.#held, 'latin1')
    const closing = this.#last === LF && this.bytes > 0 ? '\n' : '\n\n'
    return Buffer.concat([rest, held, Buffer.from(closing)])
  }

  #quote(bytes: Buffer): Buffer {
    if (bytes.length === 0) return bytes
    this.bytes += bytes.length
    this.#last = bytes[bytes.length - 1] ?? LF
    let text = this.#held + bytes.toString('latin1')
    if (this.#open) text = text.replace(/^>*From /, '>$&')
    text = text.replace(/\n(>*From )/g, '\n>$1')
    const lineStart = text.lastIndexOf('\n') + 1
    const begun = lineStart > 0 || this.#open ? /^>*(F(?:r(?:om?)?)?)?$/.exec(text.slice(lineStart)) : null
    this.#open = begun !== null
    this.#held = begun?.[1] ?? ''
    return Buffer.from(this.#held === '' ? text : text.slice(0, -this.#held.length), 'latin1')
  }
}

/** The message again, from the text between two From_ lines; whole lines, or the last one. */
export function unquoted(text: string): string {
  // Not /^/m, which takes a bare CR for a line end.
  return text.replace(/(^|\n)>(>*From )/g, '$1$2')
}
