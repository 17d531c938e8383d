// Watches the conversation beside nodemailer, which takes any 2xx for an answer to DATA and one surplus reply for the
// answer to the next command, so that every later answer belongs to the wrong one (D049). Pure: lines in, facts out.
// The rule: a reply must have been asked for and must be able to answer what was asked; else the session is out of step.
import type { Stage } from './smtp/verdict.ts'

/** The stages that wait for the server: a reply, or for TLS the handshake. */
export type Waiting = Exclude<Stage, 'connect'>

/** Replies that let the session go on; 4xx and 5xx always can be an answer. */
const GOES_ON: Readonly<Record<Waiting, RegExp>> = {
  greeting: /^220/,
  EHLO: /^250/,
  STARTTLS: /^220/,
  TLS: /^$/,
  AUTH: /^(?:235|334)/,
  MAIL: /^2/,
  RCPT: /^2/,
  DATA: /^3/,
  content: /^2/,
  RSET: /^2/,
  QUIT: /^2/,
}

/** RFC 5321 4.2: every line of a reply begins with the same code; the last has no hyphen. */
const REPLY = /^([2-5]\d\d)(?:[ \t].*)?$/
const REPLY_LINES = /^([2-5]\d\d)-.*(?:\n\1-.*)*\n\1(?:[ \t].*)?$/

export interface Refusal {
  readonly stage: Waiting
  readonly code: number
  readonly text: string
}

export class Replies {
  readonly #expected: Waiting[] = ['greeting']
  #signingIn = false
  /** The first 4xx or 5xx since `begin()`: with pipelining the later ones only follow from it. */
  refusal: Refusal | null = null
  /** The reply that put the session out of step, and the stage; null while it is in step. */
  nonsense: { readonly stage: Waiting | null; readonly text: string } | null = null
  /** The last answer to EHLO that was a success. */
  offers = ''

  /** What is waited for now; null: nothing. */
  get waiting(): Waiting | null {
    return this.#expected[0] ?? null
  }

  /** A new transaction: refusals of the one before are forgotten. */
  begin(): void {
    this.refusal = null
  }

  /** A command line was sent. */
  client(line: string): void {
    if (this.#expected[0] === 'TLS') this.#expected.shift()
    // The dot that ends a message without recipients was expected since the reply to DATA.
    if (line === '.') return
    this.#expected.push(this.#signingIn ? 'AUTH' : stageOf(line))
    this.#signingIn = false
  }

  /** A complete reply came in; its lines are joined by LF. Returns the stage it answers, null when out of step. */
  server(reply: string): Waiting | null {
    const stage = this.#expected[0]
    const code = Number((REPLY.exec(reply) ?? REPLY_LINES.exec(reply))?.[1] ?? 0)
    // RFC 5321 3.8: a server may announce at any time that it is about to close.
    if (stage === undefined && code === 421) return null
    if (stage === undefined || code === 0 || !(code >= 400 || GOES_ON[stage].test(reply))) {
      this.nonsense ??= { stage: stage ?? null, text: reply }
      return null
    }
    this.#expected.shift()
    if (code >= 400) this.refusal ??= { stage, code, text: reply }
    else if (stage === 'EHLO') this.offers = reply
    else if (stage === 'STARTTLS') this.#expected.unshift('TLS')
    else if (stage === 'AUTH') this.#signingIn = code === 334
    else if (stage === 'DATA') this.#expected.unshift('content')
    return stage
  }
}

const VERBS: Readonly<Record<string, Waiting>> = {
  EHLO: 'EHLO',
  HELO: 'EHLO',
  LHLO: 'EHLO',
  STARTTLS: 'STARTTLS',
  AUTH: 'AUTH',
  MAIL: 'MAIL',
  RCPT: 'RCPT',
  DATA: 'DATA',
  RSET: 'RSET',
  QUIT: 'QUIT',
}

function stageOf(line: string): Waiting {
  return VERBS[/^[A-Z]+/.exec(line)?.[0] ?? ''] ?? 'EHLO'
}
