// The gmail destination. It puts each message unchanged into a Gmail mailbox through the API, with its date and labels. Gmail
// classifies it like arriving mail. Only an answer with the id of the stored message is a delivery.
//
// client.ts knows the API, exchange.ts carries one request, reply.ts reads answers. labels.ts keeps the ids of labels, pace.ts the
// speed that Google allows. Both are one for a user, whatever the destinations are called. answers/gmail.ts says what an answer
// means for the mail. This file offers a message until it is taken or refused, and says so in words.
// One rule: what may have been stored is said to be so. Gmail merges two copies only by their Message-ID.
import { display } from '../../display.ts'
import { DeliveryError, factsOf, PopfetchError } from '../../errors.ts'
import { receivedDateMs } from '../../header.ts'
import type { Message } from '../../message.ts'
import { concludeGmail, type GmailAnswer, type GmailConcluded } from '../answers/gmail.ts'
import { concluded } from '../answers/conclusions.ts'
import { concludeSecret } from '../answers/secret.ts'
import { type Attempt, type Destination, PROBE_MS, type Probed, type Receipt, receiptOf } from '../destination.ts'
import { NewlineRepair, receivedChunks } from '../smtp/content.ts'
import { wrapped } from '../smtp/wrap.ts'
import { Slots } from '../slots.ts'
import { type Doubt, GmailClient, NoToken, Unwanted } from './client.ts'
import { GmailFailure, type Outgoing } from './exchange.ts'
import { Labels } from './labels.ts'
import { Pace } from './pace.ts'
import { refusalOf, storedOf } from './reply.ts'
import { GMAIL_LIMITS, type GmailConfig, type GmailContext, type GmailLimits } from './settings.ts'

export type { GmailConfig, GmailContext } from './settings.ts'

/** https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages/import */
const MOST_BYTES = 150 * 1024 * 1024
/** An invitation in older mail is of a meeting that was. */
const CALENDAR_MS = 14 * 86_400_000
/** A pause that is waited out; a longer one is for the poll to obey. */
const SHORT_PAUSE_MS = 60_000

export function openGmail(config: GmailConfig, context: GmailContext, limits: GmailLimits = GMAIL_LIMITS): Destination {
  return new GmailDestination(config, context, limits)
}

/** What all destinations of a user share. */
interface User {
  readonly pace: Pace
  readonly labels: Labels
  users: number
}

const users = new Map<string, User>()

/** Why a message was not taken. */
interface Untaken {
  readonly answer: GmailConcluded
  readonly text: string
  readonly cause: unknown
}

class GmailDestination implements Destination {
  readonly description: string
  readonly recipients = ['']
  readonly spool = null
  readonly remembers = false
  readonly #config: GmailConfig
  readonly #context: GmailContext
  readonly #limits: GmailLimits
  readonly #client: GmailClient
  readonly #closing = new AbortController()
  readonly #slots: Slots
  readonly #key: string
  readonly #user: User
  /** The error of every delivery until `ready` succeeds; null: the destination takes mail. */
  #broken: DeliveryError | null = null

  constructor(config: GmailConfig, context: GmailContext, limits: GmailLimits) {
    this.description = config.description
    this.#config = config
    this.#context = context
    this.#limits = limits
    this.#slots = new Slots(config.concurrency)
    this.#key = `${config.endpoint} ${config.user}`
    this.#user = users.get(this.#key) ?? { pace: new Pace(), labels: new Labels(), users: 0 }
    users.set(this.#key, this.#user)
    this.#user.users++
    this.#client = new GmailClient(config, context, this.#limits, this.#user.pace, this.#closing.signal)
  }

  /** Lists the labels, which shows that the mailbox is there and the token is good, and makes those that are missing. */
  async ready(signal: AbortSignal): Promise<void> {
    this.#broken = null
    this.#user.labels.forget()
    const look = this.#until(signal, async () => {
      const source = this.#client.labels(signal)
      let labels: ReturnType<typeof source.list> | null = source.list()
      await labels
      const list = (): ReturnType<typeof source.list> => {
        const listed = labels ?? source.list()
        labels = null
        return listed
      }
      await this.#user.labels.idsOf(this.#config.labels, { ...source, list })
      return null
    })
    const untaken = await look.catch((error: unknown) => {
      // No message is to blame.
      const isStop = error instanceof DeliveryError && error.scope === 'message'
      throw isStop ? new DeliveryError(error.message, { ...factsOf(error), scope: 'destination', cause: error }) : error
    })
    if (untaken !== null) throw this.#failure(untaken)
  }

  async probe(signal: AbortSignal): Promise<Probed> {
    const late = AbortSignal.timeout(PROBE_MS)
    try {
      await this.ready(AbortSignal.any([signal, late]))
    } catch (error) {
      if (!late.aborted || signal.aborted || !(error instanceof DeliveryError)) throw error
      const text = `${this.description}: no answer within ${PROBE_MS / 1000} s: check the network and endpoint`
      throw new DeliveryError(text, { ...concluded('DOWN', 'silence'), cause: error })
    }
    const { labels, user } = this.#config
    const findings = [
      { name: 'mailbox', value: display(user) },
      { name: 'labels', value: display(labels.join(', ')) },
    ]
    return { tls: null, findings, warnings: [] }
  }

  /** The scopes that popfetch asks for do not let it look for messages. */
  census(): Promise<null> {
    return Promise.resolve(null)
  }

  recall(): Promise<null> {
    return Promise.resolve(null)
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    if (this.#broken !== null) throw this.#broken
    const leave = await this.#slots.take(signal).catch((cause: unknown) => {
      throw this.#stopped(false, cause)
    })
    try {
      return await this.#offer(attempt, message, signal)
    } finally {
      leave()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the destination was closed'))
    this.#client.close()
    if (--this.#user.users === 0) users.delete(this.#key)
    await Promise.resolve()
  }

  async #offer(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    // Found out while it waited.
    if (this.#broken !== null) throw this.#broken
    const prefix = Buffer.from(this.#context.prefix(attempt), 'latin1')
    const handingOver = attempt.handingOver ?? null
    const asItIs: Outgoing = {
      sizeBytes: prefix.length + message.sizeBytes,
      async *chunks() {
        if (prefix.length > 0) yield prefix
        yield* asReceived(message)
      },
      handingOver,
    }
    const taken = await this.#store(asItIs, message, signal)
    if (!('answer' in taken)) return receiptOf(taken.text)
    const about = taken.answer.wrap
    if (this.#config.wrap === 'never' || about === null) throw this.#failure(taken)
    const cover = await this.#cover(attempt, message, prefix.toString('latin1'), taken, about)
    if (cover === null) throw this.#failure(taken)
    const content: Outgoing = {
      sizeBytes: cover.sizeBytes,
      async *chunks() {
        const opened = cover.open()
        if (Buffer.isBuffer(opened)) yield opened
        else for await (const chunk of opened) yield Buffer.from(chunk as Uint8Array)
      },
      handingOver,
    }
    const again = await this.#store(content, message, signal)
    if ('answer' in again) throw this.#failure(again)
    return receiptOf(`stored as an attachment: ${again.text}`)
  }

  /** The message as an attachment of one of ours; null: that cannot help. */
  async #cover(attempt: Attempt, message: Message, prefix: string, { text }: Untaken, about: 'form' | 'author') {
    const { user, description } = this.#config
    const { hostName, nowMs } = this.#context
    const sender = { address: user, foreign: false }
    const letter = { attempt, message, sender, isOwnSender: true, ownSender: user, recipient: user, prefix }
    return await wrapped(
      letter,
      { fault: { kind: 'reply', code: 400, text }, about },
      { description, hostName, nowMs: nowMs() },
    )
  }

  /** With what a receipt says, or why it was not taken. Rejects with the error of `handingOver`. */
  async #store(content: Outgoing, message: Message, signal: AbortSignal): Promise<{ readonly text: string } | Untaken> {
    if (content.sizeBytes > MOST_BYTES) return tooLarge(content.sizeBytes)
    const received = receivedDateMs(message.header) ?? message.receivedMs
    const calendar = Math.abs(this.#context.nowMs() - received) < CALENDAR_MS
    // Without one, two copies stay two.
    const mayRepeat = message.messageId !== null
    let stored = ''
    const doubt = { mayBeThere: false }
    const untaken = await this.#until(
      signal,
      async () => {
        const labelIds = await this.#user.labels.idsOf(this.#config.labels, this.#client.labels(signal))
        const reply = await this.#client.store({ labelIds, calendar, content, doubt }, signal)
        const is = storedOf(reply)
        if (is === null) return new Unwanted('message', reply, true)
        stored = `${this.description}: message ${is.id}${is.threadId === '' ? '' : `, thread ${is.threadId}`}`
        return null
      },
      { mayRepeat, doubt },
    )
    return untaken ?? { text: stored }
  }

  /** Tries until it succeeds, and as often as the table of answers says. Null: it did. */
  async #until(
    signal: AbortSignal,
    attempt: () => Promise<Unwanted | null>,
    { mayRepeat, doubt }: { readonly mayRepeat: boolean; readonly doubt: Doubt } = NO_MESSAGE(),
  ): Promise<Untaken | null> {
    let lookedUp = false
    for (let pauses = 0; ;) {
      let thrown: unknown
      try {
        thrown = await attempt()
      } catch (error) {
        thrown = error
      }
      if (thrown === null) return null
      const untaken = this.#untaken(thrown, doubt)
      const { again, pauseMs, verdict } = untaken.answer
      if (again === 'labels' && !lookedUp) {
        lookedUp = true
        this.#user.labels.forget()
        continue
      }
      const isOnceMore = again === 'pause' && pauses < this.#limits.pauses && pauseMs <= SHORT_PAUSE_MS
      if (!isOnceMore || (verdict === 'unknown' && !mayRepeat)) return untaken
      const ms = pauseMs > 0 ? pauseMs : this.#limits.pauseMs * 2 ** pauses
      // A pause that was named and did not help is not believed again.
      pauses = pauseMs > 0 ? this.#limits.pauses : pauses + 1
      this.#user.pace.pause(ms)
      if (signal.aborted) return untaken
    }
  }

  /** What an earlier try may have put there stays in doubt, whatever is answered to a later one. */
  #untaken(thrown: unknown, doubt: Doubt): Untaken {
    const untaken = this.#answerTo(thrown, doubt.mayBeThere)
    const { answer } = untaken
    doubt.mayBeThere ||= answer.verdict === 'unknown'
    if (!doubt.mayBeThere || answer.verdict !== 'temporary') return untaken
    return { ...untaken, answer: { ...answer, verdict: 'unknown' } }
  }

  #answerTo(thrown: unknown, mayBeThere: boolean): Untaken {
    if (thrown instanceof NoToken) {
      return {
        answer: { ...concludeSecret(thrown.cause, 'token secret'), again: null },
        text: thrown.message,
        cause: thrown.cause,
      }
    }
    if (thrown instanceof Unwanted) return this.#answered(thrown)
    if (thrown instanceof GmailFailure && thrown.kind !== 'stopped' && thrown.kind !== 'ours') {
      const answer = concludeGmail({ ...NO_ANSWER, step: thrown.step, kind: thrown.kind, handed: thrown.handed })
      return { answer, text: thrown.message, cause: thrown }
    }
    if (thrown instanceof PopfetchError) throw thrown
    throw this.#stopped(mayBeThere || (thrown instanceof GmailFailure && thrown.handed), thrown)
  }

  #answered({ step, reply, handed }: Unwanted): Untaken {
    const { reasons, words, link, pauseMs } = refusalOf(reply, this.#context.nowMs())
    const isGmails = reply.json !== undefined || reply.status >= 500 || reply.status === 429 || reply.status === 413
    const kind: GmailAnswer['kind'] = isGmails && reply.status >= 400 ? 'answer' : 'nonsense'
    const answer = concludeGmail({ step, kind, status: reply.status, reasons, words, pauseMs, handed })
    const what = step === 'labels' ? 'its labels' : 'the message'
    const said = kind === 'nonsense' ? `, which is not an answer from Gmail: it begins with "${words}"` : ` "${words}"`
    const see = link === '' ? '' : `; see ${link}`
    return { answer, text: `${what} returned ${reply.status}${said}${see}`, cause: null }
  }

  /** Our own end: no sign of the destination. */
  #stopped(handed: boolean, cause: unknown): DeliveryError {
    const why = cause instanceof Error ? display(cause.message) : 'stopped'
    const then = handed
      ? 'it may have been delivered, and may come twice when it is sent again'
      : 'it will be tried again'
    const text = `${this.description}: ${why}: ${then}`
    return new DeliveryError(text, { ...concluded(handed ? 'LOST' : 'TEMP', 'ours', { counts: false }), cause })
  }

  /** The error for what was not taken. If it is about the destination, that is down from now on. */
  #failure({ answer, text, cause }: Untaken): DeliveryError {
    const told = `${this.description}: ${text}: ${whatToDo(answer)}`
    const error = new DeliveryError(told, { ...answer, step: answer.row, cause })
    if (answer.scope === 'destination') {
      const others = answer.verdict === 'unknown' ? { ...answer, verdict: 'temporary' as const } : answer
      const conclusion = others.conclusion === 'LOST' ? 'TLS' : others.conclusion
      this.#broken = new DeliveryError(told, { ...others, conclusion, step: answer.row, cause })
    }
    return error
  }
}

/** A file that was written for a Maildir has other line ends. */
async function* asReceived(message: Message): AsyncGenerator<Buffer, void, void> {
  const { body } = message
  if (body.kind !== 'file' || body.form.lineEndings === 'crlf') return yield* receivedChunks(message)
  const repair = new NewlineRepair()
  for await (const chunk of receivedChunks(message)) yield repair.repair(chunk)
  yield repair.end()
}

const NO_MESSAGE = () => ({ mayRepeat: true, doubt: { mayBeThere: false } })

const NO_ANSWER = { status: 0, reasons: [], words: '', pauseMs: 0 } as const

function tooLarge(sizeBytes: number): Untaken {
  const answer = { ...concluded('FORM', 'too large'), again: null }
  return { answer, text: `the message has ${sizeBytes} bytes, and Gmail accepts at most ${MOST_BYTES}`, cause: null }
}

function whatToDo({ conclusion, verdict, row }: GmailConcluded): string {
  if (verdict === 'unknown')
    return 'it may be there, and Gmail merges two copies by their Message-ID when it is sent again'
  if (conclusion === 'SIGN') {
    return row === 'scope'
      ? 'sign in again and allow what is asked for (scopes gmail.insert and gmail.labels): popfetch auth'
      : 'sign in again: popfetch auth; or check the source of token'
  }
  if (conclusion === 'ACT') {
    return row === 'label'
      ? 'check labels, and that they can be made'
      : 'follow its advice; popfetch then goes on by itself'
  }
  if (conclusion === 'TLS') return 'check endpoint, the proxy and who answers there'
  return verdict === 'refused' ? 'it stays on the server; first-of can send it elsewhere' : 'it will be tried again'
}
