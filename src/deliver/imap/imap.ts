// The imap destination: puts each message into a folder of an IMAP server, once, with the time at which it was received.
// sessions.ts opens up to `concurrency` sessions and keeps them between messages and accounts. session.ts signs in and runs one
// command at a time through imapflow (imapflow.ts). wire.ts, the stream below, counts what was handed over. If the server has
// LITERAL+, messages bypass imapflow (append.ts). If it has MULTIAPPEND, waiting messages go together (../together.ts).
// folder.ts finds the folder, or makes it. content.ts says which bytes, and which field on top says whose attempt it was.
// server.ts asks the table answers/imap.ts (fault.ts) what a failure means for the mail, text.ts puts it in words. One rule:
// after an answer that was lost, and after a kill, find.ts looks for the message before anything is appended again.
import { setTimeout as sleep } from 'node:timers/promises'
import { DeliveryError, PopfetchError } from '../../errors.ts'
import type { Message } from '../../message.ts'
import { concluded } from '../answers/conclusions.ts'
import {
  type Attempt,
  type Glance,
  type Item,
  type Origins,
  type Probed,
  type Receipt,
  receiptOf,
  type Recollection,
  type Settled,
  type ShowingDestination,
  type Space,
  type Standing,
} from '../destination.ts'
import { messageKey } from '../message-key.ts'
import { type Outcome, settled, Together } from '../together.ts'
import type { Dated } from './append.ts'
import { contentOf, dateOf, markField } from './content.ts'
import { ImapFailure, tooLarge } from './fault.ts'
import { findAll, Finder, findSettled, type Found, itemsOf, type Work } from './find.ts'
import { type Folder, isMissing, makeFolder, openFolder } from './folder.ts'
import { checkLabels, probeImap } from './probe.ts'
import { readAllBack, readBack, uidOf } from './reread.ts'
import { Server } from './server.ts'
import type { ImapSession } from './session.ts'
import { IMAP_LIMITS, type ImapConfig, type ImapContext, type ImapLimits, raisedImap } from './settings.ts'

export type { ImapConfig, ImapContext } from './settings.ts'

/** A pause that is waited out; a longer one is for the poll to obey. */
const SHORT_PAUSE_MS = 60_000

export function openImap(
  config: ImapConfig,
  context: ImapContext,
  limits: ImapLimits = IMAP_LIMITS,
): ShowingDestination {
  return new Imap(config, context, raisedImap(limits, config.timeoutMs))
}

/** One message to be delivered. */
interface Letter {
  readonly attempt: Attempt
  readonly message: Message
}

class Imap implements ShowingDestination {
  readonly description: string
  readonly recipients = ['']
  readonly spool = null
  readonly letsGo = true
  readonly remembers: boolean
  readonly #config: ImapConfig
  readonly #context: ImapContext
  readonly #limits: ImapLimits
  readonly #server: Server
  readonly #together: Together<Letter, Receipt>
  readonly #finder: Finder
  #folder: Promise<Folder> | null = null
  readonly #closing = new AbortController()

  constructor(config: ImapConfig, context: ImapContext, limits: ImapLimits) {
    this.description = config.description
    this.remembers = config.trace
    this.#config = context.readOnly === true ? { ...config, create: false, flags: [], labels: [] } : config
    this.#context = context
    this.#limits = limits
    this.#together = new Together(config.concurrency, (letters, signal) => this.#deliverAll(letters, signal))
    this.#finder = new Finder(limits.lookMs)
    this.#server = new Server(config, limits)
  }

  async ready(signal: AbortSignal): Promise<void> {
    this.#server.restore()
    this.#folder = null
    this.#finder.restore()
    await this.#server.with(signal, null, async (session) => {
      checkLabels(session, this.#config)
      await this.#opened(session, signal)
    })
  }

  async probe(signal: AbortSignal): Promise<Probed> {
    return await probeImap(this.#config, this.#limits, signal).catch((error: unknown) => {
      throw this.#server.failure(error, null)
    })
  }

  async recall(attempt: Attempt, signal: AbortSignal): Promise<Recollection | null> {
    if (!this.remembers) return null
    return await this.#server.with(signal, null, async (session) => {
      const found = await this.#find(session, attempt, signal)
      if (found === null) return null
      const received = await this.#readBack(session, found, attempt, signal)
      await this.#label(session, found.uid, signal)
      return { ...this.#receipt(found.uid), received }
    })
  }

  async census(origins: Origins, signal: AbortSignal): Promise<readonly (Standing | null)[] | null> {
    if (!this.remembers) return null
    const wanted = new Map(origins.map((origin) => [messageKey(origin), origin]))
    const all = await this.#server.with(signal, null, async (session) =>
      findAll(session, (await this.#opened(session, signal)).path, this.#limits.lookMs, signal),
    )
    const byKey = new Map(all.filter(({ key }) => wanted.has(key)).map((found) => [found.key, found]))
    return origins.map((origin) => {
      const found = byKey.get(messageKey(origin))
      if (found === undefined) return null
      return { ...this.#receipt(found.uid), intent: found.intent, fileBytes: found.bytes, atMs: null }
    })
  }

  async reread(settled: readonly Settled[], signal: AbortSignal): Promise<readonly (Recollection | null)[]> {
    return await this.#server.with(signal, null, async (session) => {
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
    const there = await this.#server.with(signal, null, (session) => this.#settled(session, settled, signal))
    return settled.map((attempt) => {
      const found = there.get(attempt.intent)
      if (found === undefined) return 'gone'
      const { receivedBytes = null } = attempt
      return receivedBytes !== null && found.bytes === this.#prefix(attempt).length + receivedBytes ? 'same' : 'other'
    })
  }

  async *items(where: 'here' | 'elsewhere', signal: AbortSignal): AsyncGenerator<readonly Item[]> {
    const work: Work = (look) => this.#server.with(signal, null, look)
    const { path } = await work((session) => this.#opened(session, signal))
    yield* itemsOf(path, where, { work, limitMs: this.#limits.lookMs, signal })
  }

  async space(signal: AbortSignal): Promise<Space | null> {
    return await this.#server.with(signal, null, async (session) => {
      const { path } = await this.#opened(session, signal)
      const quota = await session.run('look', (client) => client.getQuota(path), signal)
      if (quota === false) return null
      const { host, user } = this.#config
      const key = `imap ${host} ${user} ${quota.quotaRoot ?? ''}`
      return { key, bytes: leftOf(quota.storage), messages: leftOf(quota.message) }
    })
  }

  get atOnce(): number {
    return this.#together.atOnce
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    try {
      return await this.#offer(attempt, message, signal)
    } catch (error) {
      const pauseMs = error instanceof DeliveryError && error.conclusion === 'BUSY' ? error.pauseMs : 0
      if (pauseMs === 0 || pauseMs > SHORT_PAUSE_MS) throw error
      const isOver = AbortSignal.any([signal, this.#closing.signal])
      await sleep(pauseMs, undefined, { signal: isOver }).catch(() => {})
      if (isOver.aborted) throw error
      this.#server.restore()
      return await this.#offer(attempt, message, signal)
    }
  }

  async #offer(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    if (this.#server.broken !== null) throw this.#server.broken
    return await this.#together.add({ attempt, message }, message.sizeBytes, signal).catch((cause: unknown) => {
      if (cause instanceof PopfetchError) throw cause
      const text = `${this.description}: stopped before it was tried: it will be tried again`
      throw new DeliveryError(text, { ...concluded('TEMP', 'ours', { counts: false }), cause })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#server[Symbol.asyncDispose]()
  }

  async #deliverAll(letters: readonly Letter[], signal: AbortSignal): Promise<readonly Outcome<Receipt>[]> {
    const isAlone = letters.length === 1 || letters.some(({ message }) => message.sizeBytes > this.#config.maxSize)
    if (isAlone) return await this.#oneByOne(letters, signal)
    const { broken } = this.#server
    if (broken !== null) return letters.map(() => ({ error: broken }))
    const bytes = letters.reduce((sum, { message }) => sum + message.sizeBytes, 0)
    try {
      const uids = await this.#server.trying(signal, (session) => this.#appendAll(session, letters, signal), bytes)
      if (uids !== null) {
        for (const letter of letters) this.#wasTaken(letter)
        this.#together.went(letters.length)
        return letters.map((_, at) => ({ result: this.#receipt(uids[at] ?? null) }))
      }
    } catch (thrown) {
      this.#together.alone()
      const reply = thrown instanceof ImapFailure && thrown.fault.kind === 'reply' ? thrown.fault : null
      if (reply === null || reply.status === 'BYE') {
        const errors = letters.map(({ message }) => this.#server.failure(thrown, messageKey(message.origin)))
        return await settled(letters, (letter, at) => this.#foundOr(letter, errors[at], signal))
      }
      // It may speak of one of them. By RFC 3502 none is there. A server that breaks this rule must not make two messages of
      // one.
      if (!isMissing(reply)) {
        return await settled(letters, async (letter) => {
          return (await this.recall(letter.attempt, signal)) ?? (await this.#deliver(letter, signal))
        })
      }
    }
    return await this.#oneByOne(letters, signal)
  }

  async #oneByOne(letters: readonly Letter[], signal: AbortSignal): Promise<readonly Outcome<Receipt>[]> {
    const outcomes = await settled(letters, (letter) => this.#deliver(letter, signal))
    if (outcomes.some((outcome) => 'error' in outcome)) this.#together.alone()
    return outcomes
  }

  async #deliver(letter: Letter, signal: AbortSignal): Promise<Receipt> {
    if (this.#server.broken !== null) throw this.#server.broken
    const { maxSize } = this.#config
    const { message } = letter
    const key = messageKey(message.origin)
    try {
      if (message.sizeBytes > maxSize)
        throw this.#server.failure(tooLarge(message.sizeBytes, maxSize, 'maxSize is'), key)
      // Labels take a folder that is open: no other message may be about then.
      const together = this.#config.labels.length === 0 ? message.sizeBytes : null
      const receipt = await this.#server.with(signal, key, (session) => this.#append(session, letter, signal), together)
      this.#wasTaken(letter)
      return receipt
    } catch (error) {
      return await this.#foundOr(letter, error, signal)
    }
  }

  #wasTaken({ attempt, message }: Letter): void {
    this.#server.wasTaken(messageKey(message.origin))
    this.#finder.end(attempt.intent)
  }

  /** After a lost answer: the message, if it arrived nevertheless. Else rejects with `error`. */
  async #foundOr({ attempt }: Letter, error: unknown, signal: AbortSignal): Promise<Receipt> {
    if (!(error instanceof DeliveryError) || error.conclusion !== 'LOST' || !this.remembers || signal.aborted)
      throw error
    // The server may still be at work on it: what is not there yet is looked for again before the next attempt.
    const found = await this.recall(attempt, signal).catch(() => null)
    if (found === null) throw error
    return { text: found.text }
  }

  /** Null: the server takes one with one command. */
  async #appendAll(
    session: ImapSession,
    letters: readonly Letter[],
    signal: AbortSignal,
  ): Promise<readonly (number | null)[] | null> {
    if (!session.appendsTogether) return null
    const folder = await this.#opened(session, signal)
    const messages = await Promise.all(letters.map((letter) => this.#dated(letter)))
    const most = folder.limit ?? Infinity
    if (messages.some(({ content }) => content.bytes > most)) return null
    for (const { attempt } of letters) this.#finder.begin(attempt.intent, folder)
    return await session.appendAll(folder.path, messages, folder.flags, signal)
  }

  async #dated({ attempt, message }: Letter): Promise<Dated> {
    const content = await contentOf(message, this.#prefix(attempt)).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error)
      throw new ImapFailure('APPEND', { kind: 'spool', text }, { cause: error })
    })
    return { content, date: this.#config.date === 'received' ? dateOf(message, this.#context.nowMs()) : null }
  }

  async #append(session: ImapSession, letter: Letter, signal: AbortSignal): Promise<Receipt> {
    const { attempt } = letter
    const dated = await this.#dated(letter)
    const folder = await this.#opened(session, signal)
    if (folder.limit !== null && dated.content.bytes > folder.limit)
      throw tooLarge(dated.content.bytes, folder.limit, 'the server accepts at most')
    this.#finder.begin(attempt.intent, folder)
    if (!this.remembers) await attempt.handingOver?.()
    const { path, flags } = folder
    const once = (date: Date | null) => session.append(path, { ...dated, date }, flags, signal)
    const uid = await once(dated.date).catch(async (error: unknown) => {
      if (!(error instanceof ImapFailure) || error.fault.kind !== 'reply' || !session.alive) throw error
      const { code, text } = error.fault
      if (isMissing(error.fault)) {
        if (!this.#config.create) throw error
        await makeFolder(session, path, signal)
        this.#folder = null
        this.#finder.forget()
        return await once(dated.date)
      }
      // D113: a date that the server does not like.
      if (dated.date !== null && (code === '' || code === 'CLIENTBUG') && /\bdate\b/i.test(text))
        return await once(null)
      throw error
    })
    if (session.appendsTogether && this.remembers && this.#config.labels.length === 0) this.#together.went(1)
    if (this.#config.labels.length === 0) return this.#receipt(uid)
    try {
      const found = uid ?? (await this.#find(session, attempt, signal))?.uid ?? null
      if (found !== null) await this.#label(session, found, signal)
      return this.#receipt(found)
    } catch (error) {
      // Whatever went wrong, the message is there.
      if (!(error instanceof ImapFailure)) throw error
      throw new ImapFailure('labels', error.fault, { handed: true, cause: error.cause })
    }
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
    return await this.#finder.find(session, path, intent, signal)
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
}

/** What may be added; a resource that is not limited, or not told of, is endless. */
function leftOf(resource: { usage?: number | undefined; limit?: number | undefined } | undefined): number {
  if (resource?.limit === undefined) return Infinity
  return Math.max(0, resource.limit - (resource.usage ?? 0))
}
