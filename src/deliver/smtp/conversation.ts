// Sees the whole conversation of one session through nodemailer's log, where every reply is told just before it is acted
// on: which stage is waited for and how long, whether the server is in step, whether the content is through. Decides
// nothing but when to give up. The rule: what nodemailer would take for a success must be one here first (D049).
import type { Socket } from 'node:net'
import { errnoOf } from '../../errors.ts'
import { SpoolError } from './content.ts'
import type { SmtpLimits } from './limits.ts'
import { Replies } from '../smtp-replies.ts'
import { connectionFault, SmtpFailure } from './socket.ts'
import type { TransportLog } from './nodemailer.ts'
import type { Fault, Stage } from './verdict.ts'

export interface Watched {
  /** The socket of now: nodemailer replaces it when STARTTLS succeeds. Null: none yet. */
  socket(): Socket | null
  giveUp(failure: SmtpFailure): void
}

export class SmtpWatch {
  readonly replies = new Replies()
  readonly #watched: Watched
  readonly #limits: SmtpLimits
  /** Bytes written to the socket before the content; null: the server has not asked for it. */
  #contentStart: number | null = null
  #wireBytes = 0

  constructor(watched: Watched, limits: SmtpLimits) {
    this.#watched = watched
    this.#limits = limits
  }

  /** A new transaction, whose content will be `wireBytes` with its final dot. */
  begin(wireBytes: number): void {
    this.replies.begin()
    this.#contentStart = null
    this.#wireBytes = wireBytes
  }

  /** What went wrong, where, and what the server may have by now. Ask before the socket is destroyed. */
  failure(fault: Fault, stage?: Stage, cause?: unknown): SmtpFailure {
    const begun = this.#contentStart !== null
    const at = stage ?? this.replies.waiting ?? (begun ? 'content' : 'connect')
    return new SmtpFailure(at, fault, { handed: this.#handed(), begun, cause })
  }

  /** What nodemailer's failure is, whose shapes are many (D071): what was seen on the wire says more. */
  reported(error: Error | undefined): SmtpFailure {
    const { refusal, waiting } = this.replies
    const fault: Fault = refusal === null ? faultOf(error, waiting) : { kind: 'reply', ...refusal }
    return this.failure(fault, refusal?.stage, error)
  }

  /** For nodemailer, with `transactionLog`. */
  get log(): TransportLog {
    return {
      debug: ({ tnx }, text) => {
        if (tnx === 'client') this.replies.client(text)
        else if (tnx === 'server') this.#answered(text)
        else return
        this.#limitSilence()
      },
      info: ({ tnx }) => {
        // The dot was written: from here on the server has its ten minutes.
        if (tnx === 'message') this.#limitSilence()
      },
      warn: ({ discarded }) => {
        // Bytes in clear behind the answer to STARTTLS: somebody on the way wants to be heard as the server (D050).
        if (discarded === undefined) return
        const text = 'bytes in clear behind the answer'
        // After nodemailer has set up TLS, so that there is nothing it could leave behind.
        queueMicrotask(() => this.#giveUp({ kind: 'nonsense', text }, 'STARTTLS'))
      },
      error: () => {},
    }
  }

  #answered(text: string): void {
    const socket = this.#watched.socket()
    // What is left without a line end when the connection is gone: a refusal counts, half a yes does not.
    if (socket === null || (socket.destroyed && !/^[45]\d\d[ -]/.test(text))) return
    const stage = this.replies.server(text)
    const { nonsense, refusal, waiting } = this.replies
    if (nonsense !== null) this.#giveUp({ kind: 'nonsense', text: nonsense.text })
    else if (stage === 'DATA' && waiting === 'content') {
      this.#contentStart = socket.bytesWritten
      inOnePacket(socket)
    }
    // Yes before everything was said cannot be the answer to it.
    else if (stage === 'content' && refusal === null && !this.#handed()) {
      this.#giveUp({ kind: 'nonsense', text }, 'content')
    }
  }

  #giveUp(fault: Fault, stage?: Stage): void {
    this.#watched.giveUp(this.failure(fault, stage))
  }

  /** The whole content was handed to the socket, its dot included: the server may have it. */
  #handed(): boolean {
    const socket = this.#watched.socket()
    if (this.#contentStart === null || socket === null) return false
    return socket.bytesWritten - this.#contentStart >= this.#wireBytes
  }

  /** Each stage has its own limit; nodemailer reports when it has passed. */
  #limitSilence(): void {
    const socket = this.#watched.socket()
    if (socket === null || socket.destroyed) return
    socket.setTimeout(this.#silenceMs())
  }

  #silenceMs(): number {
    const { greetingMs, commandMs, dataMs, blockMs, contentMs } = this.#limits
    const { waiting } = this.replies
    if (waiting === null) return 0
    if (waiting === 'greeting') return greetingMs
    if (waiting === 'DATA') return dataMs
    if (waiting === 'content') return this.#handed() ? contentMs : blockMs
    return commandMs
  }
}

/** nodemailer, which goes on right after this, writes a content and its dot one after the other: the second call would
 *  cost as much as the first. What does not fit, and what a stream gives later, goes out as it comes. */
function inOnePacket(socket: Socket): void {
  socket.cork()
  process.nextTick(() => socket.uncork())
}

function faultOf(error: Error | undefined, waiting: Stage | null): Fault {
  if (error === undefined) return { kind: 'cut', text: 'the connection was closed' }
  if (errnoOf(error) === 'ETIMEDOUT') return { kind: 'timeout', text: error.message }
  if (error instanceof SpoolError || errnoOf(error) === 'ESTREAM') return { kind: 'spool', text: error.message }
  return connectionFault(error, waiting === 'TLS')
}
