// The imap destination: puts each message into a folder of an IMAP server, once, with the time at which it was received.
//
// sessions.ts opens up to `concurrency` sessions and keeps them between messages and accounts. session.ts signs in and runs one
// command at a time through imapflow (imapflow.ts) over a stream that counts what was handed over (wire.ts); messages go past
// imapflow where the server has LITERAL+ (append.ts). folder.ts finds the
// folder, or makes it. content.ts says which bytes, mark.ts which field on top says whose attempt it was. fault.ts asks the table
// answers/imap.ts what a failure means for the mail, text.ts puts it in words. One rule: after an answer that was lost, and after
// a kill, find.ts looks for the message before anything is appended again.
import { DeliveryError, errnoOf, PopfetchError } from '../../errors.ts'
import type { Message, Origin } from '../../message.ts'
import { concluded, type Concluded } from '../answers/conclusions.ts'
import {
  type Attempt,
  type Glance,
  type Probed,
  type ReadableDestination,
  type Receipt,
  receiptOf,
  type Recollection,
  type Settled,
  type Space,
  type Standing,
} from '../destination.ts'
import { BodyChanged } from '../disk/body.ts'
import { messageKey } from '../message-key.ts'
import { Slots } from '../slots.ts'
import { contentOf, dateOf } from './content.ts'
import { conclude, ImapFailure, tooLarge } from './fault.ts'
import { findAll, findIntent, findSettled, type Found, type Look, lookAgain, type Since } from './find.ts'
import { type Folder, makeFolder, openFolder } from './folder.ts'
import { markField } from './mark.ts'
import { checkLabels, probeImap } from './probe.ts'
import { readAllBack, readBack, uidOf } from './reread.ts'
import type { ImapSession } from './session.ts'
import { Sessions, type Taken } from './sessions.ts'
import { IMAP_LIMITS, type ImapConfig, type ImapContext, type ImapLimits, raisedImap } from './settings.ts'
import { failureText } from './text.ts'

export type { ImapConfig, ImapContext } from './settings.ts'

export function openImap(
  config: ImapConfig,
  context: ImapContext,
  limits: ImapLimits = IMAP_LIMITS,
): ReadableDestination {
  return new Imap(config, context, raisedImap(limits, config.timeoutMs))
}

/** Of more attempts the folder is read as a whole. */
const FEW_SEARCHES = 3
/** Messages whose refusals, or lost answers, are kept in mind. */
const MOST_KEPT = 1_000

class Imap implements ReadableDestination {
  readonly description: string
  readonly recipients = ['']
  readonly spool = null
  readonly remembers: boolean
  readonly #config: ImapConfig
  readonly #context: ImapContext
  readonly #limits: ImapLimits
  readonly #sessions: Sessions
  /** A message under way is in memory as a whole. */
  readonly #slots: Slots
  #folder: Promise<Folder> | null = null
  /** The error of every delivery until `ready` succeeds; null: the destination takes mail. */
  #broken: DeliveryError | null = null
  /** UIDNEXT before an attempt of this process whose answer was lost. */
  readonly #lost = new Map<string, Since>()
  /** How often a message was refused while others were taken. */
  readonly #refused = new Map<string, { times: number; taken: number }>()
  #taken = 0
  /** For attempts of earlier processes, since `ready`. */
  #searches = 0
  #look: Look | null = null

  constructor(config: ImapConfig, context: ImapContext, limits: ImapLimits) {
    this.description = config.description
    this.remembers = config.trace
    this.#config = config
    this.#context = context
    this.#limits = limits
    this.#slots = new Slots(config.concurrency)
    this.#sessions = Sessions.of(config, limits)
  }

  async ready(signal: AbortSignal): Promise<void> {
    this.#broken = null
    this.#folder = null
    this.#searches = 0
    this.#look = null
    this.#sessions.restore()
    await this.#with(signal, null, async (session) => {
      checkLabels(session, this.#config)
      await this.#opened(session, signal)
    })
  }

  async probe(signal: AbortSignal): Promise<Probed> {
    try {
      return await probeImap(this.#config, this.#limits, signal)
    } catch (error) {
      throw this.#failure(error, null)
    }
  }

  async recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null> {
    if (!this.remembers) return null
    return await this.#with(signal, null, async (session) => {
      const found = await this.#find(session, attempt, signal)
      if (found === null) return null
      const received = await this.#readBack(session, found, attempt, signal)
      await this.#label(session, found.uid, signal)
      return { ...this.#receipt(found.uid), received }
    })
  }

  async census(origins: readonly Origin[], signal: AbortSignal): Promise<readonly (Standing | null)[] | null> {
    if (!this.remembers) return null
    const wanted = new Map(origins.map((origin) => [messageKey(origin), origin]))
    const all = await this.#with(signal, null, async (session) => {
      const { path } = await this.#opened(session, signal)
      return await findAll(session, path, this.#limits.lookMs, signal)
    })
    const byKey = new Map(all.filter(({ key }) => wanted.has(key)).map((found) => [found.key, found]))
    return origins.map((origin) => {
      const found = byKey.get(messageKey(origin))
      if (found === undefined) return null
      return { ...this.#receipt(found.uid), intent: found.intent, fileBytes: found.bytes, atMs: null }
    })
  }

  async reread(settled: readonly Settled[], signal: AbortSignal): Promise<readonly (Recollection | null)[]> {
    return await this.#with(signal, null, async (session) => {
      const there = await this.#settled(session, settled, signal)
      const wanted = settled.flatMap((attempt) => {
        const found = there.get(attempt.intent)
        return found === undefined ? [] : [{ found, prefix: this.#prefix(attempt) }]
      })
      const facts = await readAllBack(session, wanted, this.#limits.lookMs, signal)
      return settled.map(({ intent }) => {
        const uid = there.get(intent)?.uid
        return uid === undefined ? null : { ...this.#receipt(uid), received: facts.get(uid) ?? null }
      })
    })
  }

  async glance(settled: readonly Settled[], signal: AbortSignal): Promise<readonly Glance[]> {
    const there = await this.#with(signal, null, (session) => this.#settled(session, settled, signal))
    return settled.map((attempt) => {
      const found = there.get(attempt.intent)
      if (found === undefined) return 'gone'
      const { receivedBytes = null } = attempt
      return receivedBytes !== null && found.bytes === this.#prefix(attempt).length + receivedBytes ? 'same' : 'other'
    })
  }

  async space(signal: AbortSignal): Promise<Space | null> {
    return await this.#with(signal, null, async (session) => {
      const { path } = await this.#opened(session, signal)
      const quota = await session.run('look', (client) => client.getQuota(path), signal)
      if (quota === false) return null
      const { host, user } = this.#config
      const key = `imap ${host} ${user} ${quota.quotaRoot ?? ''}`
      return { key, bytes: leftOf(quota.storage), messages: leftOf(quota.message) }
    })
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    if (this.#broken !== null) throw this.#broken
    const leave = await this.#slots.take(signal).catch((cause: unknown) => {
      const text = `${this.description}: stopped before it was tried: it will be tried again`
      throw new DeliveryError(text, { ...concluded('TEMP', 'ours', { counts: false }), cause })
    })
    try {
      return await this.#deliver(attempt, message, signal)
    } finally {
      leave()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]()
  }

  async #deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    if (this.#broken !== null) throw this.#broken
    const { maxSize } = this.#config
    const key = messageKey(message.origin)
    const work = async (session: ImapSession): Promise<Receipt> =>
      await this.#append(session, attempt, message, await this.#content(attempt, message), signal)
    try {
      if (message.sizeBytes > maxSize) throw this.#failure(tooLarge(message.sizeBytes, maxSize, 'maxSize is'), key)
      // Labels take a folder that is open: no other message may be about then.
      const together = this.#config.labels.length === 0 ? message.sizeBytes : null
      const receipt = await this.#with(signal, key, work, together)
      this.#taken += 1
      this.#refused.delete(key)
      return receipt
    } catch (error) {
      if (!(error instanceof DeliveryError) || error.conclusion !== 'LOST' || !this.remembers || signal.aborted)
        throw error
      // The server may still be at work on it: what is not there yet is looked for again before the next attempt.
      const found = await this.recall(attempt, signal).catch(() => null)
      if (found === null) throw error
      return { text: found.text }
    }
  }

  async #content(attempt: Attempt, message: Message): Promise<Buffer> {
    try {
      return await contentOf(message, this.#prefix(attempt))
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      throw new ImapFailure('APPEND', { kind: 'spool', text }, { cause: error })
    }
  }

  async #append(
    session: ImapSession,
    attempt: Attempt,
    message: Message,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<Receipt> {
    const folder = await this.#opened(session, signal)
    const { appendLimit } = session
    if (appendLimit !== null && bytes.length > appendLimit)
      throw tooLarge(bytes.length, appendLimit, 'the server takes')
    this.#note(attempt, folder)
    if (!this.remembers) await attempt.handingOver?.()
    const { path, flags } = folder
    const date = this.#config.date === 'received' ? dateOf(message, this.#context.nowMs()) : null
    const once = (when: Date | null) => session.append(path, bytes, { flags, date: when }, signal)
    const { uid } = await once(date).catch(async (error: unknown) => {
      if (!(error instanceof ImapFailure) || error.fault.kind !== 'reply' || !session.alive) throw error
      const { code, text } = error.fault
      if (code === 'TRYCREATE' || code === 'NONEXISTENT') {
        if (!this.#config.create) throw error
        await makeFolder(session, path, signal)
        // Its UIDs begin anew.
        this.#folder = null
        this.#lost.clear()
        return await once(date)
      }
      // D113: a date that the server does not like.
      if (date !== null && code === '' && /\bdate\b/i.test(text)) return await once(null)
      throw error
    })
    if (uid !== null) await this.#label(session, uid, signal)
    else if (this.#config.labels.length > 0) {
      const found = await this.#find(session, attempt, signal)
      if (found !== null) await this.#label(session, found.uid, signal)
    }
    this.#lost.delete(attempt.intent)
    return this.#receipt(uid)
  }

  #note({ intent }: Attempt, { uidNext, uidValidity }: Folder): void {
    if (uidNext !== null) this.#lost.set(intent, { uidNext, uidValidity })
    const [oldest] = this.#lost.keys()
    if (this.#lost.size > MOST_KEPT && oldest !== undefined) this.#lost.delete(oldest)
  }

  /** On Gmail, where a folder is a label among others. */
  async #label(session: ImapSession, uid: number, signal: AbortSignal): Promise<void> {
    const { labels } = this.#config
    if (labels.length === 0) return
    const { path } = await this.#opened(session, signal)
    await session.run('labels', (client) => client.mailboxOpen(path), signal)
    const set = await session.run(
      'labels',
      (client) => client.messageFlagsAdd({ uid: String(uid) }, [...labels], { uid: true, useLabels: true }),
      signal,
    )
    if (!set) throw session.refusal('labels', 'the labels were not set')
  }

  async #find(session: ImapSession, { intent }: Attempt, signal: AbortSignal): Promise<Found | null> {
    const { path } = await this.#opened(session, signal)
    const since = this.#lost.get(intent) ?? null
    this.#searches += 1
    if (since === null && this.#searches > FEW_SEARCHES) {
      this.#look = await lookAgain(session, path, this.#look, this.#limits.lookMs, signal)
      return this.#look.byIntent.get(intent) ?? null
    }
    return await findIntent(session, path, { intent, since, limitMs: this.#limits.lookMs }, signal)
  }

  async #readBack(session: ImapSession, { uid }: Found, attempt: Attempt, signal: AbortSignal) {
    const { path } = await this.#opened(session, signal)
    await session.run('look', (client) => client.mailboxOpen(path, { readOnly: true }), signal)
    return await readBack(session, { uid, prefix: this.#prefix(attempt), limitMs: this.#limits.lookMs }, signal)
  }

  async #settled(session: ImapSession, settled: readonly Settled[], signal: AbortSignal) {
    const { path } = await this.#opened(session, signal)
    const wanted = settled.map((attempt) => ({ intent: attempt.intent, uid: uidOf(attempt) }))
    return await findSettled(session, path, wanted, this.#limits.lookMs, signal)
  }

  /** The folder, found once for all sessions. */
  async #opened(session: ImapSession, signal: AbortSignal): Promise<Folder> {
    if (this.#folder === null) {
      const opening = openFolder(session, this.#config, signal)
      this.#folder = opening
      opening.catch(() => {
        if (this.#folder === opening) this.#folder = null
      })
    }
    return await this.#folder
  }

  #prefix(attempt: Attempt): Buffer {
    const fields = `${this.#config.trace ? markField(attempt) : ''}${this.#context.prefix(attempt)}`
    return Buffer.from(fields, 'latin1')
  }

  #receipt(uid: number | null): Receipt {
    return receiptOf(uid === null ? this.description : `${this.description}, UID ${uid}`)
  }

  /** `work` with a session of its own; once more on a new one when a kept one turned out to be over before anything was handed
   *  over. Rejects with DeliveryError. `key`, `bytes`: of the message; null: it is about none, and none is to blame. */
  async #with<T>(
    signal: AbortSignal,
    key: string | null,
    work: (session: ImapSession) => Promise<T>,
    bytes: number | null = null,
  ): Promise<T> {
    for (let first = true; ; first = false) {
      let taken: Taken | null = null
      try {
        taken = await this.#sessions.take(signal, bytes)
        const { session, kept } = taken
        try {
          return await work(session)
        } catch (error) {
          const isOver = error instanceof ImapFailure && !error.handed && !session.alive && !signal.aborted
          if (!first || !kept || !isOver) throw error
          this.#sessions.dropIdle()
        }
      } catch (error) {
        throw this.#failure(error, key)
      } finally {
        if (taken !== null) this.#sessions.release(taken.session)
      }
    }
  }

  /** The error for whatever was thrown. If it is about the destination, that is down from now on. */
  #failure(thrown: unknown, key: string | null): Error {
    // Not ours to put into words: of `handingOver`.
    if (thrown instanceof PopfetchError) return thrown
    const failure = thrown instanceof ImapFailure ? thrown : unforeseen(thrown)
    const thirdTime = key !== null && failure.step === 'APPEND' && this.#timesRefused(failure, key) >= 3
    const concludes = conclude(failure, {
      othersOpen: this.#sessions.others > 0 && failure.step !== 'APPEND',
      thirdTime,
    })
    // Where no message was offered, no message is to blame.
    const answer: Concluded = key === null ? { ...concludes, scope: 'destination' } : concludes
    const { step, fault, cause } = failure
    const retry = cause instanceof PopfetchError ? { retry: cause.retry } : {}
    const text = failureText({ description: this.description, peer: this.#config, step, fault, answer })
    const error = new DeliveryError(text, { ...answer, ...retry, step, cause: failure })
    if (answer.scope === 'destination' && answer.conclusion !== 'ROOM' && answer.verdict === 'temporary') {
      this.#broken = error
    }
    return error
  }

  #timesRefused({ fault }: ImapFailure, key: string): number {
    if (fault.kind !== 'reply' || fault.status === 'BYE') return 0
    const before = this.#refused.get(key)
    // Nothing was taken between: the server may refuse everything.
    if (before !== undefined && before.taken === this.#taken) return before.times
    const times = (before?.times ?? 0) + 1
    this.#refused.delete(key)
    this.#refused.set(key, { times, taken: this.#taken })
    const [oldest] = this.#refused.keys()
    if (this.#refused.size > MOST_KEPT && oldest !== undefined) this.#refused.delete(oldest)
    return times
  }
}

/** What may be added; a resource that is not limited, or not told of, is endless. */
function leftOf(resource: { usage?: number | undefined; limit?: number | undefined } | undefined): number {
  if (resource?.limit === undefined) return Infinity
  return Math.max(0, resource.limit - (resource.usage ?? 0))
}

function unforeseen(thrown: unknown): ImapFailure {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const isSpool = errnoOf(thrown) !== null || thrown instanceof BodyChanged
  return new ImapFailure('APPEND', { kind: isSpool ? 'spool' : 'stopped', text }, { cause: thrown })
}
