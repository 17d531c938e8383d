// The smtp and lmtp destinations: hand each message to a mail server, and count only its final answer as a delivery.
//
// letter.ts says who sends what to whom, content.ts which bytes; what the server refuses for its bytes goes once more as an
// attachment (wrap.ts). pool.ts opens up to `concurrency` connections (socket.ts) and keeps them between messages.
// session.ts signs in (capabilities.ts) and sends one message after another through nodemailer (nodemailer.ts).
// conversation.ts watches every reply within the limits of limits.ts. verdict.ts decides what a failure means for the mail,
// text.ts puts it in words. This file follows one delivery from envelope to verdict, and decides when the destination as a
// whole has failed. One rule: a failed destination refuses everything at once until `ready` has succeeded again, so nothing
// is fetched in vain.
import { DeliveryError, errnoOf, PopfetchError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import { RefusalBreaker } from '../breaker.ts'
import { type Attempt, type Destination, type Receipt, receiptOf } from '../destination.ts'
import { Slots } from '../slots.ts'
import { type Content, SpoolError } from './content.ts'
import { checkLetter, contentOfLetter, envelopeFor, type Letter, letterOf } from './letter.ts'
import { raised, RFC_LIMITS, type SmtpLimits } from './limits.ts'
import { SmtpPool } from './pool.ts'
import { SmtpSession } from './session.ts'
import type { SmtpConfig, SmtpContext } from './settings.ts'
import { notBegun, SmtpFailure } from './socket.ts'
import { failureText, said } from './text.ts'
import { type Fault, judge, type Judgement } from './verdict.ts'
import { isAboutBytes, wrapped } from './wrap.ts'

export type { SmtpConfig, SmtpContext } from './settings.ts'

export function openSmtp(config: SmtpConfig, context: SmtpContext, limits: SmtpLimits = RFC_LIMITS): Destination {
  return new SmtpDestination(config, context, raised(limits, config.timeoutMs))
}

/** How many sessions may turn out to be dead before the server hears of the message: as many as are kept, and two more. */
const MOST_SESSIONS = 6

class SmtpDestination implements Destination {
  readonly description: string
  readonly recipients: readonly string[]
  readonly spool = null
  readonly remembers = false
  readonly #config: SmtpConfig
  readonly #context: SmtpContext
  readonly #pool: SmtpPool
  /** A message that is being prepared holds a copy of its bytes; the others wait without one. Twice as many as sessions, so
   *  that no session waits for a message. */
  readonly #slots: Slots
  readonly #breaker = new RefusalBreaker()
  /** The error of every delivery until `ready` succeeds; null: the destination takes mail. */
  #broken: DeliveryError | null = null

  constructor(config: SmtpConfig, context: SmtpContext, limits: SmtpLimits) {
    this.description = config.description
    this.recipients = config.to
    this.#config = config
    this.#context = context
    this.#slots = new Slots(2 * config.concurrency)
    this.#pool = new SmtpPool({
      concurrency: config.concurrency,
      idleMs: limits.idleMs,
      open: (signal) => openSession(config, context, limits, signal),
    })
  }

  async ready(signal: AbortSignal): Promise<void> {
    this.#broken = null
    this.#pool.restore()
    // If a session is in use for another account, the server is there.
    while (!this.#pool.busy) {
      let session: SmtpSession
      try {
        session = await this.#pool.acquire(signal)
      } catch (error) {
        throw this.#failure(error, null)
      }
      try {
        // A session that was opened just now has had answers; a kept one may be dead unnoticed.
        if (session.kept) await session.reset(signal)
        return
      } catch {
        session.destroy()
        this.#pool.dropIdle()
      } finally {
        this.#pool.release(session)
      }
    }
  }

  /** SMTP cannot say what became of a message, nor which messages the server took. */
  census(): Promise<null> {
    return Promise.resolve(null)
  }

  recall(): Promise<null> {
    return Promise.resolve(null)
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    if (this.#broken !== null) throw this.#broken
    const leave = await this.#slots.take(signal).catch((cause: unknown) => {
      const text = `${this.description}: stopped before it was tried: it will be tried again`
      throw new DeliveryError(text, { verdict: 'temporary', scope: 'message', retry: 'soon', cause })
    })
    try {
      return await this.#deliver(letterOf(attempt, message, this.#config, this.#context), signal)
    } finally {
      leave()
    }
  }

  async #deliver(letter: Letter, signal: AbortSignal): Promise<Receipt> {
    if (this.#broken !== null) throw this.#broken
    try {
      checkLetter(letter, this.#config)
      const answer = await this.#hand(letter, signal)
      this.#breaker.accepted()
      return receiptOf(said(answer))
    } catch (error) {
      throw this.#failure(error, letter)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
  }

  /** Sends it as it is; if the server refuses that for its bytes, as an attachment. */
  async #hand(letter: Letter, signal: AbortSignal): Promise<string> {
    try {
      return await this.#send(letter, await contentOfLetter(letter, this.#config), signal)
    } catch (error) {
      const { description, wrap } = this.#config
      if (wrap === 'never' || !(error instanceof SmtpFailure) || !isAboutBytes(error)) throw error
      const { hostName, nowMs } = this.#context
      const content = await wrapped(letter, error, { description, hostName, nowMs: nowMs() })
      if (content === null) throw error
      // The new message is ours, and so are notices about it. But mail from the null sender keeps that sender (D044).
      const address = letter.sender.address === '' ? '' : letter.ownSender
      const answer = await this.#send({ ...letter, sender: { address, foreign: false } }, content, signal)
      return `sent as an attachment: ${answer}`
    }
  }

  async #send(letter: Letter, content: Content, signal: AbortSignal): Promise<string> {
    for (let tried = 1; ; tried++) {
      const session = await this.#pool.acquire(signal)
      const used = session.kept || session.served > 0
      try {
        if (this.#broken !== null) throw this.#broken
        const { from, to } = envelopeFor(letter, session.takesUtf8)
        return await session.send(from, to, content, signal)
      } catch (error) {
        if (!used || !isStale(error) || tried === MOST_SESSIONS) throw error
        this.#pool.dropIdle()
      } finally {
        this.#pool.release(session)
      }
    }
  }

  /** The verdict on this message for whatever was thrown. If the failure is about the destination, it is down from now
   *  on. */
  #failure(thrown: unknown, letter: Letter | null): DeliveryError {
    if (thrown instanceof DeliveryError) return thrown
    const failure = thrown instanceof SmtpFailure ? thrown : notBegun('connect', faultOf(thrown), thrown)
    const { stage, fault } = failure
    const judgement = this.#judgement(failure, letter)
    const told = {
      description: this.description,
      stage,
      fault,
      sender: letter?.sender.address ?? '',
      recipient: letter?.recipient ?? '',
    }
    if (judgement.scope === 'destination') {
      // For other messages the same fault means that nothing was tried.
      const untried: Judgement = { ...judgement, verdict: 'temporary' }
      this.#broken = new DeliveryError(failureText({ ...told, judgement: untried }), { ...untried, cause: failure })
      if (judgement.verdict === 'temporary') return this.#broken
    }
    return new DeliveryError(failureText({ ...told, judgement }), { ...judgement, cause: failure })
  }

  #judgement(failure: SmtpFailure, letter: Letter | null): Judgement {
    const { stage, fault, handed, cause } = failure
    const judged = judge(stage, fault, { handed, foreignSender: letter?.sender.foreign ?? false })
    // The error of a secret that could not be read says best when to try again.
    const judgement = cause instanceof PopfetchError ? { ...judged, retry: cause.retry } : judged
    if (letter === null) return { ...judgement, scope: 'destination', verdict: 'temporary' }
    if (stage === 'content') this.#breaker.accepted()
    if (judgement.verdict !== 'refused' || stage === 'content' || fault.kind !== 'reply') return judgement
    const { account, uidl, copy } = letter.attempt.origin
    const message = JSON.stringify([account, uidl, copy])
    const { address } = letter.sender
    const all = this.#breaker.refused({ message, sender: address, recipient: letter.recipient, reply: fault.text })
    return all ? { verdict: 'temporary', scope: 'destination', retry: 'later' } : judgement
  }
}

async function openSession(
  config: SmtpConfig,
  { hostName }: SmtpContext,
  limits: SmtpLimits,
  signal: AbortSignal,
): Promise<SmtpSession> {
  const { user, secret, auth } = config
  const missing = (): Promise<string> => Promise.reject(new Error('no password is configured'))
  const signIn = user === null ? null : { user, secret: secret ?? missing, auth }
  return SmtpSession.open({ peer: config, signIn, hostName, limits }, signal)
}

/** Did the server end a kept session before it heard anything of this message? */
function isStale(thrown: unknown): boolean {
  if (!(thrown instanceof SmtpFailure) || thrown.begun) return false
  const { fault } = thrown
  return fault.kind === 'cut' || (fault.kind === 'reply' && fault.code === 421)
}

function faultOf(thrown: unknown): Fault {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return errnoOf(thrown) !== null || thrown instanceof SpoolError ? { kind: 'spool', text } : { kind: 'stopped', text }
}
