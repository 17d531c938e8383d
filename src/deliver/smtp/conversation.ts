// Watches the whole conversation of one SMTP session. Until the sign-in is over through nodemailer's log, which reports every
// reply just before nodemailer acts on it; then line/line.ts does. The step that is waited for and its limit, whether the server
// is in step, whether the content is through. Needed because nodemailer takes a surplus reply for the answer to the next
// command (D049). Decides only when to give up. One rule: a reply that would be taken for a success must be one here first.
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { errnoOf } from '../../errors.ts'
import type { SmtpStep } from '../answers/smtp.ts'
import { SpoolError } from './content.ts'
import { type Fault, SmtpFailure } from './fault.ts'
import type { SmtpLimits } from './limits.ts'
import type { TransportLog } from './nodemailer.ts'
import { connectionFault } from '../network/dial.ts'

export interface Watched {
  /** The current socket: nodemailer replaces it when STARTTLS succeeds. Null: none yet. */
  socket(): Socket | null
  giveUp(failure: SmtpFailure): void
}

export class Conversation {
  readonly replies = new Replies()
  readonly #watched: Watched
  readonly #limits: SmtpLimits
  /** Bytes written to the socket before the content; null: the server has not asked for it. */
  #contentStart: number | null = null
  #wireBytes = 0
  /** Bytes that had come by then. */
  #readBefore = 0
  /** See `#handed`: noted for good, since a destroyed socket does not tell any more. */
  #wasHanded = false
  /** An acceptance that came while, by what Node knew, not all of the content had gone. */
  #early: string | null = null
  /** The socket that is noted before it is destroyed. */
  #noted: Socket | null = null

  constructor(watched: Watched, limits: SmtpLimits) {
    this.#watched = watched
    this.#limits = limits
  }

  /** Begins a new transaction, whose content will be `wireBytes` with its final dot. */
  begin(wireBytes: number): void {
    this.replies.begin()
    this.#contentStart = null
    this.#wireBytes = wireBytes
    this.#wasHanded = false
    this.#early = null
  }

  /** An acceptance that came before the content was sent, so that it cannot be an answer to it; null: none. To be asked one
   *  turn of the event loop after the answer. Under TLS Node learns only then that its data has gone, and a server may be
   *  faster. */
  get early(): string | null {
    return this.#handed() ? null : this.#early
  }

  /** Is what there is to be known of an answer known only one turn of the event loop later? */
  get isLate(): boolean {
    return this.early !== null || this.#watched.socket() instanceof TLSSocket
  }

  /** An error that says what went wrong, at which step, and how much the server may have by now. */
  failure(fault: Fault, step?: SmtpStep, cause?: unknown): SmtpFailure {
    const begun = this.#contentStart !== null
    const at = step ?? this.replies.waiting ?? (begun ? 'dot' : 'connect')
    return new SmtpFailure(at, fault, { handed: this.#handed(), begun, cause })
  }

  /** The error for a failure that nodemailer reports. Its errors have many shapes (D071), so the wire decides. */
  reported(error: Error | undefined): SmtpFailure {
    const { refusal, waiting } = this.replies
    const fault: Fault = refusal === null ? faultOf(error, waiting) : { kind: 'reply', ...refusal }
    return this.failure(fault, refusal?.step, error)
  }

  /** For nodemailer, with `transactionLog`. */
  get log(): TransportLog {
    return {
      debug: ({ tnx }, text) => {
        if (tnx === 'client') this.asked(text)
        else if (tnx === 'server') this.answered(text)
      },
      info: () => {},
      warn: ({ discarded }) => {
        // Bytes in clear after the answer to STARTTLS: somebody in between poses as the server (D050).
        if (discarded === undefined) return
        const text = 'unencrypted bytes after the answer'
        // Only after nodemailer has set up TLS, so that it leaves no half-made connection behind.
        queueMicrotask(() => this.#giveUp({ kind: 'nonsense', text }, 'STARTTLS'))
      },
      error: () => {},
    }
  }

  /** A command line is sent. */
  asked(line: string): void {
    this.replies.client(line)
    this.#limitSilence()
  }

  /** A reply has come. Whoever acts on it looks first whether the socket is still there. */
  answered(text: string): void {
    this.#judge(text)
    this.#limitSilence()
  }

  /** The content and its dot were given to the socket: from here on the server has its ten minutes. `isSmall`: in one write of
   *  less than the socket holds. `isFollowed`: in one write with commands behind it. */
  contentWritten(isSmall: boolean, isFollowed: boolean): void {
    const socket = this.#watched.socket()
    // All of it went at once. Node would tell that later, and of all that was written together: in doubt the server may have it.
    if (isSmall && (isFollowed || socket instanceof TLSSocket) && socket?.destroyed === false) this.#wasHanded = true
    this.#limitSilence()
  }

  #judge(text: string): void {
    const socket = this.#watched.socket()
    // The rest of a line when the connection is gone: a refusal counts, half of an acceptance does not.
    if (socket === null || (socket.destroyed && !/^[45]\d\d[ -]/.test(text))) return
    const step = this.replies.server(text)
    const { nonsense, refusal, waiting } = this.replies
    if (nonsense !== null) this.#giveUp({ kind: 'nonsense', text: nonsense.text })
    else if (step === 'DATA' && waiting === 'dot') {
      this.#contentStart = socket.bytesWritten
      this.#readBefore = socket.bytesRead
      this.#noteBeforeItEnds(socket)
    }
    // An acceptance that had come before the content went, or that comes before all of it went, cannot be an answer to it.
    else if (step === 'dot' && refusal === null) {
      if (socket.bytesRead === this.#readBefore) this.#giveUp({ kind: 'nonsense', text }, 'dot')
      else if (!this.#handed()) this.#early = text
    }
  }

  #giveUp(fault: Fault, step?: SmtpStep): void {
    this.#watched.giveUp(this.failure(fault, step))
  }

  /** Was the whole content handed to the kernel, its dot included? Then the server may have it. What is still in our own
   *  buffers it cannot have (D128). */
  #handed(): boolean {
    const socket = this.#watched.socket()
    if (!this.#wasHanded && socket !== null) this.#wasHanded = this.#isHanded(socket)
    return this.#wasHanded
  }

  #isHanded(socket: Socket): boolean {
    // After a failed write, what was being written counts as written for Node, and as buffered no more.
    if (this.#contentStart === null || socket.destroyed || socket.errored !== null) return false
    // `writableLength` has what is buffered and what is being written.
    return socket.bytesWritten - socket.writableLength - this.#contentStart >= this.#wireBytes
  }

  /** However the socket ends, and whoever ends it, nodemailer too: it is asked just before. */
  #noteBeforeItEnds(socket: Socket): void {
    if (this.#noted === socket) return
    this.#noted = socket
    const destroy = socket.destroy.bind(socket)
    socket.destroy = (error) => {
      this.#handed()
      return destroy(error)
    }
  }

  /** Each step has its own limit; nodemailer reports when it has passed. */
  #limitSilence(): void {
    const socket = this.#watched.socket()
    if (socket === null || socket.destroyed) return
    const limitMs = this.#silenceMs()
    // It begins anew with whatever is read or written.
    if (socket.timeout !== limitMs) socket.setTimeout(limitMs)
  }

  #silenceMs(): number {
    const { greetingMs, commandMs, dataMs, blockMs, contentMs } = this.#limits
    const { waiting } = this.replies
    if (waiting === null) return 0
    if (waiting === 'greeting') return greetingMs
    if (waiting === 'DATA') return dataMs
    if (waiting === 'dot') return this.#handed() ? contentMs : blockMs
    return commandMs
  }
}

function faultOf(error: Error | undefined, waiting: SmtpStep | null): Fault {
  if (error === undefined) return { kind: 'cut', text: 'the connection was closed' }
  if (errnoOf(error) === 'ETIMEDOUT') return { kind: 'timeout', text: error.message }
  if (error instanceof SpoolError) return { kind: 'spool', text: error.message }
  return connectionFault(error, waiting === 'TLS')
}

/** The steps that wait for the server: a reply, or for TLS the handshake. */
export type Waiting = Exclude<SmtpStep, 'connect'>

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
  dot: /^2/,
  RSET: /^2/,
  QUIT: /^2/,
}

/** RFC 5321 4.2: every line of a reply begins with the same code; the last has no hyphen. */
const REPLY = /^([2-5]\d\d)(?:[ \t].*)?$/
const REPLY_LINES = /^([2-5]\d\d)-.*(?:\n\1-.*)*\n\1(?:[ \t].*)?$/

export interface Refusal {
  readonly step: Waiting
  readonly code: number
  readonly text: string
}

export class Replies {
  readonly #expected: Waiting[] = ['greeting']
  #signingIn = false
  /** The first 4xx or 5xx since `begin()`: with pipelining the later ones only follow from it. */
  refusal: Refusal | null = null
  /** The reply that put the session out of step, and the step; null while it is in step. */
  nonsense: { readonly step: Waiting | null; readonly text: string } | null = null
  greeting = ''
  /** The last answer to EHLO that was a success. */
  offers = ''

  /** The step whose reply is waited for; null: none. */
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
    // The dot that ends a message without recipients: its reply is expected since the reply to DATA.
    if (line === '.') return
    this.#expected.push(this.#signingIn ? 'AUTH' : stepOf(line))
    this.#signingIn = false
  }

  /** A complete reply came in; its lines are joined by LF. Returns the step it answers, null when out of step. */
  server(reply: string): Waiting | null {
    const step = this.#expected[0]
    const code = Number((REPLY.exec(reply) ?? REPLY_LINES.exec(reply))?.[1] ?? 0)
    // RFC 5321 3.8: a server may announce at any time that it is about to close.
    if (step === undefined && code === 421) return null
    if (step === undefined || code === 0 || !(code >= 400 || GOES_ON[step].test(reply))) {
      this.nonsense ??= { step: step ?? null, text: reply }
      return null
    }
    this.#expected.shift()
    if (code >= 400) this.refusal ??= { step, code, text: reply }
    else if (step === 'greeting') this.greeting = reply
    else if (step === 'EHLO') this.offers = reply
    else if (step === 'STARTTLS') this.#expected.unshift('TLS')
    else if (step === 'AUTH') this.#signingIn = code === 334
    else if (step === 'DATA') this.#expected.unshift('dot')
    return step
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

function stepOf(line: string): Waiting {
  return VERBS[/^[A-Z]+/.exec(line)?.[0] ?? ''] ?? 'EHLO'
}
