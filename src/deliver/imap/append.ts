// The command APPEND of a message or of several (MULTIAPPEND, RFC 3502), as bytes, and the answer to it. imapflow makes one of its
// own, which waits for the server's leave before a literal of more than 4 kB even where LITERAL+ spares that. This one goes at once,
// so that several may be on their way (RFC 7888). Pure.
import type { Content } from './content.ts'
import type { Fault } from './fault.ts'

/** In front of the numbers of our commands; those of imapflow have digits alone. */
const TAG = 'popfetch'
const CRLF = Buffer.from('\r\n')
/** Small messages are copied into memory that is used again. One write costs less than three, and what is thrown away piles up
 *  outside V8's heap. */
const COPIED_BYTES = 320 * 1024

/** Memory for commands of one session. */
export class CommandMemory {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(COPIED_BYTES)
  }

  /** Nobody reads it any longer, because its content has been answered. */
  give(memory: Buffer): void {
    this.#free.push(memory)
  }
}

/** One message, and its date there. */
export interface Dated {
  readonly content: Content
  readonly date: Date | null
}

export interface Appending {
  /** The name as people read it. */
  readonly folder: string
  readonly flags: readonly string[]
  /** A message with NUL goes as literal8, where the server has BINARY. */
  readonly binary: boolean
}

export function tagOf(number: number): string {
  return `${TAG}${number}`
}

/** In the order in which they are to be written; in one piece in `memory` where they are small. */
export function appendCommand(
  tag: string,
  messages: readonly Dated[],
  { folder, flags, binary }: Appending,
  memory: Buffer,
): readonly Buffer[] {
  const parts: Buffer[] = []
  let words = `${tag} APPEND ${quoted(modifiedUtf7(folder))}`
  for (const { content, date } of messages) {
    const dated = date === null ? '' : ` "${dateTime(date)}"`
    const flagged = flags.length === 0 ? '' : ` (${flags.join(' ')})`
    const tilde = binary && content.parts.some((part) => part.includes(0)) ? '~' : ''
    parts.push(Buffer.from(`${words}${flagged}${dated} ${tilde}{${content.bytes}+}\r\n`, 'latin1'), ...content.parts)
    words = ''
  }
  parts.push(CRLF)
  if (parts.reduce((sum, { length }) => sum + length, 0) > memory.length) return parts
  let at = 0
  for (const part of parts) at += part.copy(memory, at)
  return [memory.subarray(0, at)]
}

/** LITERAL- (RFC 7888). */
const SMALL_LITERAL = 4096

/** The longest message that goes without the server's leave; 0: none. Not where names are UTF-8 (UTF8=ONLY). */
export function mostAtOnce(offers: (capability: string) => boolean): number {
  if (offers('UTF8=ONLY')) return 0
  return offers('LITERAL+') ? Infinity : offers('LITERAL-') ? SMALL_LITERAL : 0
}

/** What a destination knows of its server. */
export interface LiteralFacts {
  /** It says LITERAL+, and takes what follows for commands. */
  lies: boolean
}

/** The answer to the probe was not that of a server that has what it says. */
export class LiteralLie extends Error {}

/** A question that only a server with LITERAL+ answers with OK. A server that wrongly claims it takes what follows for
 *  commands, and then no message arrives. */
export function literalProbe(tag: string): Buffer {
  return Buffer.from(`${tag} STATUS {5+}\r\nINBOX (UIDNEXT)\r\n`)
}

/** RFC 7889, 3.2: the limit of one folder. */
export const FOLDER_LIMIT = /\bAPPENDLIMIT (\d{1,15})\b/i

export function limitQuestion(tag: string, folder: string): Buffer {
  return Buffer.from(`${tag} STATUS ${quoted(modifiedUtf7(folder))} (APPENDLIMIT)\r\n`, 'latin1')
}

export interface Answer {
  readonly status: 'OK' | 'NO' | 'BAD'
  readonly code: string
  /** What is in the code behind its name. */
  readonly values: string
  readonly text: string
}

/** The answer behind a tag; null: it is not one. */
export function answerIn(line: string): Answer | null {
  const [, status = '', , code = '', values = '', text = ''] =
    /^(OK|NO|BAD)(?: (\[([^\] ]{1,64})(?: ([^\]]{0,512}))?\])?(.*))?$/is.exec(line) ?? []
  const word = status.toUpperCase()
  if (word !== 'OK' && word !== 'NO' && word !== 'BAD') return null
  return { status: word, code: code.toUpperCase(), values, text: text.trim() }
}

/** UIDPLUS (RFC 4315): the UIDs in `[APPENDUID validity uids]` of this many messages, in their order. Null for each if no UIDs
 *  in the answer can be theirs. */
export function uidsIn({ code, values }: Answer, count: number): readonly (number | null)[] {
  const [, set = ''] = code === 'APPENDUID' ? (/^\d{1,10} ([\d:,]+)$/.exec(values) ?? []) : []
  const uids: number[] = []
  for (const part of set.split(',')) {
    const [, from = '0', to = from] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(part) ?? []
    const [first, last] = [Math.min(Number(from), Number(to)), Math.max(Number(from), Number(to))]
    if (first < 1 || last > 0xffff_ffff || last - first >= count - uids.length) return Array<null>(count).fill(null)
    for (let uid = first; uid <= last; uid++) uids.push(uid)
  }
  return uids.length === count ? uids : Array<null>(count).fill(null)
}

/** Why an answer is no OK. */
export function faultIn(answer: Answer | null, line: string): Fault {
  if (answer === null) return { kind: 'nonsense', text: line }
  const { status, code, text } = answer
  return { kind: 'reply', status, code, text }
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
