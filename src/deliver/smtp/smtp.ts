// The smtp and lmtp destinations: hand each message to a mail server, and count only its final answer as a delivery.
//
// letter.ts says who sends what to whom, content.ts which bytes. What the server refuses for its bytes goes once more as an
// attachment (wrap.ts). ../pool.ts opens up to `concurrency` connections and keeps them between messages. session.ts signs in
// through nodemailer (nodemailer.ts) and sends one message after another (line/line.ts). conversation.ts watches every reply
// within the limits of limits.ts. fault.ts asks the table answers/smtp.ts what a failure means for the mail, text.ts puts it in
// words. offer.ts carries one message through what the table says is to be done at once. This file decides when the destination
// as a whole has failed. One rule: a failed destination refuses everything at once until `ready` has succeeded again, so
// nothing is fetched in vain.
import { display } from '../../display.ts'
import { DeliveryError, errnoOf, PopfetchError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import type { Concluded } from '../answers/conclusions.ts'
import { concluded } from '../answers/conclusions.ts'
import { type Attempt, type Destination, PROBE_MS, type Probed, type Receipt, receiptOf } from '../destination.ts'
import { foreignFromWarning } from '../foreign-from.ts'
import { lowered } from '../network/limits.ts'
import { namesMailbox } from '../placeholders.ts'
import { Slots } from '../slots.ts'
import { isAscii } from '../address.ts'
import { SpoolError } from './content.ts'
import { conclude, type Fault, notBegun, SmtpFailure } from './fault.ts'
import { checkLetter, type Letter, letterOf, ownSenderOf } from './letter.ts'
import { raisedSmtp, RFC_LIMITS, type SmtpLimits } from './limits.ts'
import { Offers, Untaken } from './offer.ts'
import { Pool } from '../pool.ts'
import { SmtpSession } from './session.ts'
import type { SmtpConfig, SmtpContext } from './settings.ts'
import { failureText, offersOf, said } from './text.ts'

export type { SmtpConfig, SmtpContext } from './settings.ts'

export function openSmtp(config: SmtpConfig, context: SmtpContext, limits: SmtpLimits = RFC_LIMITS): Destination {
  return new SmtpDestination(config, context, raisedSmtp(limits, config.timeoutMs))
}

class SmtpDestination implements Destination {
  readonly description: string
  readonly recipients: readonly string[]
  readonly spool = null
  readonly remembers = false
  readonly relays = true
  readonly #config: SmtpConfig
  readonly #context: SmtpContext
  readonly #limits: SmtpLimits
  readonly #pool: Pool<SmtpSession>
  readonly #offers: Offers
  /** A message that is being prepared holds a copy of its bytes; the others wait without one. Twice as many as sessions, so
   *  that no session waits for a message. */
  readonly #slots: Slots
  /** The error of every delivery until `ready` succeeds; null: the destination takes mail. */
  #broken: DeliveryError | null = null

  constructor(config: SmtpConfig, context: SmtpContext, limits: SmtpLimits) {
    this.description = config.description
    // Recipients that each message has for itself are not known here.
    this.recipients = config.to.filter((address) => !namesMailbox(address))
    this.#config = config
    this.#context = context
    this.#limits = limits
    this.#slots = new Slots(2 * config.concurrency)
    this.#pool = new Pool({
      concurrency: config.concurrency,
      idleMs: limits.idleMs,
      open: (signal) => openSession(config, context, limits, signal),
    })
    this.#offers = new Offers(this.#pool, config, context, () => this.#broken)
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

  /** Over a session of its own, up to RCPT, which RSET takes back. */
  async probe(signal: AbortSignal): Promise<Probed> {
    const { timeoutMs, protocol, host } = this.#config
    const limitMs = timeoutMs ?? PROBE_MS
    const late = AbortSignal.timeout(limitMs)
    const asked = { sender: '', recipient: '' }
    try {
      const limits = lowered(this.#limits, limitMs)
      const stopping = AbortSignal.any([signal, late])
      const session = await openSession(this.#config, this.#context, limits, stopping)
      try {
        const { greeting, offers, tls } = session.said
        const findings = [
          { name: 'greeting', value: said(greeting) },
          ...offersOf(offers),
          { name: 'signed in with', value: session.signedInWith ?? 'nothing: no user is set' },
        ]
        for (const recipient of this.recipients.slice(0, MOST_ASKED)) {
          asked.recipient = recipient
          asked.sender = ownSenderOf(this.#config, recipient)
          if (!isAscii(recipient + asked.sender)) continue
          await session.probe(asked.sender, recipient, stopping)
          const value = `<${display(recipient)}> from <${display(asked.sender)}>`
          findings.push({ name: 'accepts mail for', value })
        }
        const warning = protocol === 'smtp' ? foreignFromWarning(host) : null
        return { tls, findings, warnings: warning === null ? [] : [warning] }
      } finally {
        await session.quit()
      }
    } catch (error) {
      const isLate = late.aborted && !signal.aborted && error instanceof SmtpFailure
      const thrown = isLate ? notBegun(error.step, { kind: 'timeout', text: 'too slow' }, error) : error
      throw asked.recipient === '' ? this.#failure(thrown, null) : this.#notAsked(thrown, asked)
    }
  }

  /** SMTP cannot tell the outcome of a message, nor which messages the server took. */
  census(): Promise<null> {
    return Promise.resolve(null)
  }

  recall(): Promise<null> {
    return Promise.resolve(null)
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    try {
      if (this.#broken !== null) throw this.#broken
      const leave = await this.#room(attempt, signal)
      try {
        const letter = this.#offers.readyFor(attempt) ?? letterOf(attempt, message, this.#config, this.#context)
        return await this.#deliver(letter, signal)
      } finally {
        leave()
      }
    } finally {
      this.#offers.leave(attempt)
    }
  }

  /** Resolves with the function that gives the room back. */
  async #room(attempt: Attempt, signal: AbortSignal): Promise<() => void> {
    // Those that have all the room may wait for just the session that is kept for this one.
    if (!signal.aborted && this.#offers.isAnnounced(attempt)) return () => {}
    try {
      return (signal.aborted ? null : this.#slots.takeAtOnce()) ?? (await this.#slots.take(signal))
    } catch (cause) {
      const text = `${this.description}: stopped before it was tried: it will be tried again`
      throw new DeliveryError(text, { ...concluded('TEMP', 'ours', { counts: false }), cause })
    }
  }

  async #deliver(letter: Letter, signal: AbortSignal): Promise<Receipt> {
    if (this.#broken !== null) throw this.#broken
    try {
      checkLetter(letter, this.#config)
      return receiptOf(await this.#offers.make(letter, signal))
    } catch (error) {
      // Not ours to put into words: of `handingOver`.
      throw error instanceof PopfetchError ? error : this.#failure(error, letter)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
  }

  /** The error for whatever was thrown. If it is about the destination, that is down from now on. */
  #failure(thrown: unknown, letter: Letter | null): DeliveryError {
    if (thrown instanceof DeliveryError) return thrown
    const { failure, answer, sender } = thrown instanceof Untaken ? thrown : this.#unoffered(thrown, letter)
    const { step, fault, cause } = failure
    // Where the answer speaks of all mail, a sender is named only if it is that of all mail (D132).
    const named = answer.scope === 'message' || sender === letter?.ownSender ? sender : null
    const told = { ...this.#named, step, fault, sender: named, recipient: letter?.recipient ?? '' }
    // The error of a secret that could not be read says best when to try again.
    const retry = cause instanceof PopfetchError ? { retry: cause.retry } : {}
    const facts = { ...retry, step, cause: failure }
    // Room there may be for a smaller message.
    if (answer.scope === 'destination' && answer.conclusion !== 'ROOM') {
      const others = forOthers(answer)
      const text = failureText({ ...told, recipient: null, answer: others })
      this.#broken = new DeliveryError(text, { ...others, ...facts })
    }
    return new DeliveryError(failureText({ ...told, answer }), { ...answer, ...facts })
  }

  /** As a message from our own sender would fail there. */
  #notAsked(thrown: unknown, { sender, recipient }: { sender: string; recipient: string }): DeliveryError {
    const { failure } = this.#unoffered(thrown, null)
    const { step, fault } = failure
    const answer = this.#conclude(failure)
    const text = failureText({ ...this.#named, step, fault, sender, recipient, answer })
    return new DeliveryError(text, { ...answer, step, cause: failure })
  }

  #unoffered(thrown: unknown, letter: Letter | null): { failure: SmtpFailure; answer: Concluded; sender: string } {
    const failure = thrown instanceof SmtpFailure ? thrown : notBegun('connect', faultOf(thrown), thrown)
    const answer = this.#conclude(failure)
    // Where no message was offered, no message is to blame.
    return { failure, answer: letter === null ? { ...answer, scope: 'destination' } : answer, sender: '' }
  }

  get #named() {
    return { description: this.description, place: this.#config, signsIn: this.#config.user !== null }
  }

  #conclude(failure: SmtpFailure): Concluded {
    const { protocol } = this.#config
    const alone = { filled: false, ownSender: true, othersOpen: false, used: false, probe: null }
    return conclude(failure, { ...alone, protocol })
  }
}

/** Recipients of a destination that a trial asks for: servers end sessions with many. */
const MOST_ASKED = 20

/** For other messages the same fault means that nothing was tried. */
function forOthers(answer: Concluded): Concluded {
  if (answer.verdict === 'temporary') return answer
  return { ...answer, conclusion: 'TLS', verdict: 'temporary' }
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

function faultOf(thrown: unknown): Fault {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return errnoOf(thrown) !== null || thrown instanceof SpoolError ? { kind: 'spool', text } : { kind: 'stopped', text }
}
