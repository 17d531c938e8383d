// Offers one message to the server, and does at once what the table of answers says. That is on another connection, from our own
// sender, after a pause, or as an attachment. Each of these once. One rule: whatever may have been taken is never offered again
// here.
//
// Where it is known which message is next, that one is made ready while this one is sent, and announced with its end (line/line.ts). The
// session is kept for it then.
import { setTimeout as sleep } from 'node:timers/promises'
import { DeliveryError } from '../../errors.ts'
import { type Concluded, concluded } from '../answers/conclusions.ts'
import type { SmtpCircumstances } from '../answers/smtp.ts'
import { carriesOurTrace } from '../envelope.ts'
import type { Attempt } from '../destination.ts'
import type { Content } from './content.ts'
import { conclude, SmtpFailure } from './fault.ts'
import { checkLetter, contentOfLetter, envelopeFor, fromOurselves, type Letter, letterOf } from './letter.ts'
import type { Envelope } from './line/line.ts'
import type { Pool } from '../pool.ts'
import type { SmtpSession } from './session.ts'
import type { SmtpConfig, SmtpContext } from './settings.ts'
import { said } from './text.ts'
import { wrapped } from './wrap.ts'

/** A message that the server did not take, and what that means. */
export class Untaken extends Error {
  readonly failure: SmtpFailure
  readonly answer: Concluded
  /** From whom it was offered. */
  readonly sender: string

  constructor(failure: SmtpFailure, answer: Concluded, sender: string) {
    super(failure.message, { cause: failure })
    this.failure = failure
    this.answer = answer
    this.sender = sender
  }
}

/** How many sessions may turn out to be dead, or too many, before the server hears of the message. That is as many as are kept,
 *  and two more. */
const MOST_SESSIONS = 6
/** A pause that is waited out; a longer one is for the poll to obey. */
const SHORT_PAUSE_MS = 60_000

/** A message that is offered next. */
interface Ready {
  readonly letter: Letter
  readonly content: Content
  /** Where it was announced; null: nowhere. */
  session: SmtpSession | null
}

export class Offers {
  readonly #pool: Pool<SmtpSession>
  readonly #config: SmtpConfig
  readonly #context: SmtpContext
  /** Why the destination takes nothing now; null: it does. */
  readonly #broken: () => DeliveryError | null
  /** The server asked all of us to wait for a moment. */
  #pause: Promise<void> | null = null
  /** What is known to be next. */
  readonly #ready = new WeakMap<Attempt, Ready>()

  constructor(pool: Pool<SmtpSession>, config: SmtpConfig, context: SmtpContext, broken: () => DeliveryError | null) {
    this.#pool = pool
    this.#config = config
    this.#context = context
    this.#broken = broken
  }

  /** The message of this attempt as it was made ready; null: it was not. */
  readyFor(attempt: Attempt): Letter | null {
    return this.#ready.get(attempt)?.letter ?? null
  }

  /** Is a session kept for it? Then it is as far as the server is, and has room here already. */
  isAnnounced(attempt: Attempt): boolean {
    return (this.#ready.get(attempt)?.session ?? null) !== null
  }

  /** It came to its end: no session is kept for it. */
  leave(attempt: Attempt): void {
    const session = this.#ready.get(attempt)?.session ?? null
    this.#ready.delete(attempt)
    session?.destroy()
    if (session !== null) this.#pool.release(session)
  }

  /** Resolves with what a receipt says. Rejects with Untaken, with DeliveryError, or with what reading the message failed with. */
  async make(letter: Letter, signal: AbortSignal): Promise<string> {
    const making = this.#ready.get(letter.attempt)?.content ?? contentOfLetter(letter, this.#config)
    const content = making instanceof Promise ? await making : making
    if (content === null) return this.#asAttachment(letter, unsendable(), signal)
    try {
      return await this.#send(letter, content, signal)
    } catch (error) {
      if (!(error instanceof Untaken)) throw error
      if (error.answer.atOnce !== 'own-sender') return await this.#asAttachment(letter, error, signal)
      const own = this.#ownLetter(letter)
      try {
        return `sent from our own address: ${await this.#send(own, content, signal)}`
      } catch (again) {
        if (!(again instanceof Untaken)) throw again
        return await this.#asAttachment(own, again, signal)
      }
    }
  }

  #ownLetter(letter: Letter): Letter {
    if (!carriesOurTrace(letter.message.header)) return fromOurselves(letter)
    // A notice that it could not be delivered would come to us, and go the same way again (D047).
    const text = `${this.#config.description}: its sender is refused, and it has been through popfetch before: it may be going in a circle; it stays on the server and is not sent again`
    throw new DeliveryError(text, concluded('HELD', 'own trace'))
  }

  /** As an attachment of a message of ours, if that is asked for and can help; else rejects with `untaken`. */
  async #asAttachment(letter: Letter, untaken: Untaken, signal: AbortSignal): Promise<string> {
    const { description, wrap } = this.#config
    const about = untaken.answer.wrap
    if (wrap === 'never' || about === null) throw untaken
    const { hostName, nowMs } = this.#context
    const content = await wrapped(
      letter,
      { fault: untaken.failure.fault, about },
      { description, hostName, nowMs: nowMs() },
    )
    if (content === null) throw untaken
    // The new message is ours, and so are notices about it. But mail from the null sender keeps that sender (D044).
    const cover = letter.sender.address === '' ? letter : fromOurselves(letter)
    return `sent as an attachment: ${await this.#send(cover, content, signal)}`
  }

  async #send(letter: Letter, content: Content, signal: AbortSignal): Promise<string> {
    let paused = false
    for (let tried = 1; ; tried++) {
      if (this.#pause !== null) await Promise.race([this.#pause, aborted(signal)])
      const untaken = await this.#once(letter, content, signal)
      if (typeof untaken === 'string') return untaken
      const { conclusion, atOnce, pauseMs } = untaken.answer
      const elsewhere = atOnce === 'new-connection' || atOnce === 'fewer-connections'
      const shortPause = conclusion === 'BUSY' && pauseMs > 0 && pauseMs <= SHORT_PAUSE_MS && !paused
      if (!(elsewhere && tried < MOST_SESSIONS) && !shortPause) throw untaken
      if (elsewhere) continue
      paused = true
      const over = (): void => {
        this.#pause = null
      }
      this.#pause ??= sleep(pauseMs, undefined, { signal }).then(over, over)
    }
  }

  /** On one connection. Rejects when the destination is broken, or the message cannot be read. */
  async #once(letter: Letter, content: Content, signal: AbortSignal): Promise<string | Untaken> {
    const { protocol, to } = this.#config
    const usual = {
      protocol,
      filled: !to.includes(letter.recipient),
      ownSender: letter.isOwnSender,
      othersOpen: false,
      used: false,
      probe: null,
    }
    let session: SmtpSession
    try {
      session = this.#announcedTo(letter) ?? this.#pool.acquireIdle() ?? (await this.#pool.acquire(signal))
    } catch (error) {
      if (!(error instanceof SmtpFailure)) throw error
      return new Untaken(error, conclude(error, usual), letter.sender.address)
    }
    const circumstances = { ...usual, used: session.kept || session.served > 0 }
    let next: Ready | null = null
    const following = (): Envelope | null => {
      // Whoever waits for a session gets this one first.
      next = this.#pool.isFresh(session) && !this.#pool.isWanted ? this.#next(letter) : null
      return next === null ? null : envelopeOf(next, session)
    }
    try {
      const broken = this.#broken()
      if (broken !== null) throw broken
      const { from, to } = envelopeFor(letter, session.takesUtf8)
      const { handingOver = null } = letter.attempt
      return said(await session.send({ from, to, handingOver, following }, content, signal))
    } catch (error) {
      if (!(error instanceof SmtpFailure)) throw error
      const asked = { ...circumstances, othersOpen: this.#pool.others > 0 }
      const untaken = new Untaken(error, conclude(error, asked), letter.sender.address)
      const { atOnce } = untaken.answer
      if (atOnce === 'new-connection') this.#pool.dropIdle()
      if (atOnce === 'fewer-connections') this.#pool.noMore(session)
      return atOnce === 'probe' ? await this.#probed(letter, untaken, session, asked, signal) : untaken
    } finally {
      this.#keepOrRelease(session, next)
    }
  }

  #keepOrRelease(session: SmtpSession, next: Ready | null): void {
    if (next !== null && session.isAhead && session.alive) {
      next.session = session
      return
    }
    // It is good for nothing but a message that is not sent over it now.
    if (session.isAhead) session.destroy()
    this.#pool.release(session)
  }

  /** The session that is kept for it; null: there is none, or it is gone. */
  #announcedTo({ attempt }: Letter): SmtpSession | null {
    const ready = this.#ready.get(attempt)
    const session = ready?.session ?? null
    if (ready === undefined || session === null) return null
    ready.session = null
    if (session.alive) return session
    this.#pool.release(session)
    return null
  }

  /** The one behind it, made ready; null: there is none, or it is none that can simply be sent. */
  #next({ attempt }: Letter): Ready | null {
    const following = attempt.following?.() ?? null
    if (following === null) return null
    const known = this.#ready.get(following.attempt)
    if (known !== undefined) return known
    try {
      const letter = letterOf(following.attempt, following.message, this.#config, this.#context)
      checkLetter(letter, this.#config)
      const content = contentOfLetter(letter, this.#config)
      if (content === null || content instanceof Promise) return null
      const ready = { letter, content, session: null }
      this.#ready.set(following.attempt, ready)
      return ready
    } catch {
      // It is told where it is offered.
      return null
    }
  }

  /** Would the recipient get mail from our own sender? Then the refusal speaks of this message, else of the recipient (D127). */
  async #probed(
    letter: Letter,
    refused: Untaken,
    session: SmtpSession,
    circumstances: Omit<SmtpCircumstances, 'handed'>,
    signal: AbortSignal,
  ): Promise<Untaken> {
    const { failure } = refused
    const probe = await this.#probe(fromOurselves(letter), refused, session, circumstances, signal)
    return new Untaken(failure, conclude(failure, { ...circumstances, probe }), refused.sender)
  }

  async #probe(
    own: Letter,
    refused: Untaken,
    session: SmtpSession,
    circumstances: Omit<SmtpCircumstances, 'handed'>,
    signal: AbortSignal,
  ): Promise<'taken' | 'equal' | 'else'> {
    if (!session.alive) return 'else'
    try {
      const { from, to } = envelopeFor(own, session.takesUtf8)
      await session.probe(from, to, signal)
      return 'taken'
    } catch (error) {
      if (!(error instanceof SmtpFailure)) throw error
      const { same } = conclude(error, circumstances)
      return error.step === refused.failure.step && same === refused.answer.same ? 'equal' : 'else'
    }
  }
}

/** Null: it cannot be said. */
function envelopeOf({ letter, content }: Ready, session: SmtpSession): Envelope | null {
  try {
    const { sizeBytes, eightBit } = content
    return { ...envelopeFor(letter, session.takesUtf8), sizeBytes, eightBit }
  } catch {
    return null
  }
}

function unsendable(): Untaken {
  const failure = new SmtpFailure('dot', BARE, { handed: false, begun: false })
  return new Untaken(failure, concluded('FORM', 'ours', { wrap: 'form' }), '')
}

const BARE = {
  kind: 'content',
  text: 'the message has a bare CR or LF, which bareNewlines: refuse does not send',
} as const

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
