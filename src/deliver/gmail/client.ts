// Gmail's API as this program uses it: labels, and the import of a message. Signs each request with the access token, which is
// renewed once when it is refused. Large messages go up in a session that can be asked what has arrived, and resumed.
// https://developers.google.com/workspace/gmail/api/guides/uploads
import { setTimeout as sleep } from 'node:timers/promises'
import { PopfetchError } from '../../errors.ts'
import { redactor } from '../../redact.ts'
import { within } from '../disk/time-limit.ts'
import { type Asking, Exchange, GmailFailure, type Outgoing, type Reply } from './exchange.ts'
import type { LabelSource } from './labels.ts'
import { type Pace, UNITS } from './pace.ts'
import { labelOf, labelsOf } from './reply.ts'
import type { GmailConfig, GmailContext, GmailLimits } from './settings.ts'

/** Up to here one request is enough; what Google's guide says. */
const SIMPLE_BYTES = 5 * 1024 * 1024
/** A session for an upload is resumed so often. */
const MOST_RESUMED = 5

/** An answer that is not the one that was wanted, with the step it was given at. */
export class Unwanted extends Error {
  readonly step: 'labels' | 'message'
  readonly reply: Reply
  readonly handed: boolean

  constructor(step: Unwanted['step'], reply: Reply, handed: boolean) {
    super(`${step}: ${reply.status}`)
    this.step = step
    this.reply = reply
    this.handed = handed
  }
}

/** The token cannot be had. */
export class NoToken extends Error {
  override readonly cause: PopfetchError

  constructor(cause: PopfetchError) {
    super(cause.message)
    this.cause = cause
  }
}

/** How a message is to be stored. */
export interface Storing {
  readonly labelIds: readonly string[]
  /** Also as an event in the calendar, where it is an invitation. */
  readonly calendar: boolean
  readonly content: Outgoing
  /** Set while an answer is missing to what may be all of it. */
  readonly doubt: Doubt
}

export interface Doubt {
  mayBeThere: boolean
}

export class GmailClient {
  readonly #config: GmailConfig
  readonly #limits: GmailLimits
  readonly #exchange: Exchange
  readonly #pace: Pace
  readonly #signal: AbortSignal
  #token: string | null = null

  constructor(config: GmailConfig, context: GmailContext, limits: GmailLimits, pace: Pace, closing: AbortSignal) {
    this.#config = config
    this.#limits = limits
    this.#pace = pace
    this.#signal = closing
    const { endpoint, concurrency } = config
    this.#exchange = new Exchange(endpoint, { limits, env: context.env, concurrency })
  }

  close(): void {
    this.#exchange.close()
  }

  /** Both reject with GmailFailure, NoToken or Unwanted. */
  labels(signal: AbortSignal): LabelSource {
    const stop = AbortSignal.any([signal, this.#signal])
    return {
      list: async () => {
        const reply = await this.#ask('labels', UNITS.listLabels, this.#labelsAsking('GET', null), stop)
        const labels = labelsOf(reply)
        if (labels === null) throw new Unwanted('labels', reply, false)
        return labels
      },
      make: async (name) => {
        const body = { name, labelListVisibility: 'labelShow', messageListVisibility: 'show' }
        const asking = this.#labelsAsking('POST', Buffer.from(JSON.stringify(body)))
        const reply = await this.#ask('labels', UNITS.makeLabel, asking, stop)
        if (reply.status === 409) return new Unwanted('labels', reply, false)
        const label = reply.status === 200 ? labelOf(reply.json) : null
        if (label === null) throw new Unwanted('labels', reply, false)
        return label
      },
    }
  }

  /** Resolves with whatever is answered. Rejects with GmailFailure, NoToken, or what `handingOver` rejected with. */
  async store(storing: Storing, signal: AbortSignal): Promise<Reply> {
    const stop = AbortSignal.any([signal, this.#signal])
    return storing.content.sizeBytes <= SIMPLE_BYTES
      ? await this.#ask('message', UNITS.import, this.#whole(storing), stop)
      : await this.#resumable(storing, stop)
  }

  #labelsAsking(method: 'GET' | 'POST', body: Buffer | null): Asking {
    const url = this.#exchange.url(`/gmail/v1/users/${encodeURIComponent(this.#config.user)}/labels`)
    return { method, url, headers: body === null ? {} : JSON_TYPE, body }
  }

  #importUrl(uploadType: 'multipart' | 'resumable', { calendar }: Storing): URL {
    const { user, date, spam } = this.#config
    return this.#exchange.url(`/upload/gmail/v1/users/${encodeURIComponent(user)}/messages/import`, {
      uploadType,
      internalDateSource: date === 'header' ? 'dateHeader' : 'receivedTime',
      neverMarkSpam: String(spam === 'never'),
      processForCalendar: String(calendar),
    })
  }

  /** Two parts in one request: the labels, and the message as it is. */
  #whole(storing: Storing): Asking {
    const { content, labelIds } = storing
    // 32 random digits stand in no message by chance.
    const boundary = `popfetch${crypto.randomUUID().replaceAll('-', '')}`
    const head = Buffer.from(
      `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify({ labelIds })}\r\n` +
        `--${boundary}\r\nContent-Type: message/rfc822\r\n\r\n`,
    )
    const end = Buffer.from(`\r\n--${boundary}--\r\n`)
    return {
      method: 'POST',
      url: this.#importUrl('multipart', storing),
      headers: { 'content-type': `multipart/related; boundary=${boundary}` },
      body: {
        sizeBytes: head.length + content.sizeBytes + end.length,
        async *chunks() {
          yield head
          yield* content.chunks()
          // Held back until the message may be handed over: without it nothing is complete.
          yield end
        },
        handingOver: content.handingOver,
      },
    }
  }

  async #resumable(storing: Storing, signal: AbortSignal): Promise<Reply> {
    const { content, labelIds } = storing
    const opened = await this.#ask(
      'message',
      UNITS.import,
      {
        method: 'POST',
        url: this.#importUrl('resumable', storing),
        headers: {
          ...JSON_TYPE,
          'x-upload-content-type': 'message/rfc822',
          'x-upload-content-length': content.sizeBytes,
        },
        body: Buffer.from(JSON.stringify({ labelIds })),
      },
      signal,
    )
    if (opened.status !== 200) return opened
    const url = this.#exchange.own(opened.headers.location ?? '')
    if (url === null) throw new GmailFailure('nonsense', 'it gave no upload address', false)
    const ask: Ask = (asking, stop) => this.#signed(asking, stop)
    return await new Upload(url, storing, ask, this.#limits).run(signal)
  }

  async #ask(step: Unwanted['step'], units: number, asking: Asking, signal: AbortSignal): Promise<Reply> {
    await this.#pace.take(units, signal).catch((cause: unknown) => {
      throw new GmailFailure('stopped', 'stopped', false, cause)
    })
    const reply = await this.#signed(asking, signal).catch((error: unknown) => {
      throw error instanceof GmailFailure ? atStep(step, error) : error
    })
    if (reply.status >= 300 && reply.status < 400) {
      throw atStep(step, new GmailFailure('nonsense', `it redirects us (${reply.status})`, false))
    }
    if (step === 'message' && reply.status === 200 && reply.json === undefined && !hasLocation(reply)) {
      throw new GmailFailure('nonsense', `its answer is not JSON: it begins with "${reply.begins}"`, true)
    }
    return reply
  }

  /** A token that is refused is renewed once. */
  async #signed(asking: Asking, signal: AbortSignal): Promise<Reply> {
    const had = this.#token ?? (await this.#renew(null, signal))
    const reply = await this.#exchange.ask(withToken(asking, had), signal)
    if (reply.status !== 401) return reply
    const newer = this.#token !== null && this.#token !== had ? this.#token : await this.#renew(had, signal)
    return newer === had ? reply : await this.#exchange.ask(withToken(asking, newer), signal)
  }

  async #renew(refused: string | null, signal: AbortSignal): Promise<string> {
    const { secret, user } = this.#config
    const asked = secret === null ? Promise.reject(missing(user)) : secret(refused ?? undefined)
    const token = await within(asked, Math.min(this.#limits.tokenMs, 2_000_000_000), signal).catch((error: unknown) => {
      if (signal.aborted) throw new GmailFailure('stopped', 'stopped', false, error)
      throw error instanceof PopfetchError ? new NoToken(error) : error
    })
    if (token !== '') redactor.add(token, `the token of ${user} at Gmail`)
    // Anything else would end the header field.
    if (!/^[\x21-\x7e]{1,8192}$/.test(token)) throw new NoToken(unusable(user))
    this.#token = token
    return token
  }
}

function atStep(step: GmailFailure['step'], failure: GmailFailure): GmailFailure {
  failure.step = step
  return failure
}

const JSON_TYPE = { 'content-type': 'application/json; charset=UTF-8' } as const

function hasLocation({ headers }: Reply): boolean {
  return headers.location !== undefined
}

function withToken(asking: Asking, token: string): Asking {
  return { ...asking, headers: { ...asking.headers, authorization: `Bearer ${token}` } }
}

function missing(user: string): PopfetchError {
  const text = `no token is configured for ${user}: set token`
  return new PopfetchError('ERR_SECRET', text, { scope: 'destination', retry: 'never' })
}

function unusable(user: string): PopfetchError {
  const text = `the token for ${user} is empty or has characters that no token has: check its source`
  return new PopfetchError('ERR_SECRET', text, { scope: 'destination', retry: 'never' })
}

type Ask = (asking: Asking, signal: AbortSignal) => Promise<Reply>

/** One message in a session of its own. After a cut the server is asked what it has. */
class Upload {
  readonly #url: URL
  readonly #content: Outgoing
  readonly #ask: Ask
  readonly #limits: GmailLimits
  readonly #doubt: Doubt

  constructor(url: URL, { content, doubt }: Storing, ask: Ask, limits: GmailLimits) {
    this.#url = url
    this.#content = content
    this.#doubt = doubt
    this.#ask = ask
    this.#limits = limits
  }

  get #handed(): boolean {
    return this.#doubt.mayBeThere
  }

  async run(signal: AbortSignal): Promise<Reply> {
    let last: unknown = null
    for (let resumed = 0; resumed <= MOST_RESUMED; resumed++) {
      if (resumed > 0) await sleep(this.#limits.pauseMs * 2 ** (resumed - 1), undefined, { signal }).catch(() => null)
      if (signal.aborted) break
      try {
        const from = resumed === 0 ? 0 : await this.#arrived(signal)
        const reply = typeof from === 'number' ? await this.#send(from, signal) : from
        if (reply.status === 404 || reply.status === 410) {
          last = new GmailFailure('cut', `it no longer knows the upload (${reply.status})`, this.#handed)
          break
        }
        if (reply.status !== 308 && reply.status < 500) return reply
        last = new GmailFailure('cut', `the upload returned ${reply.status}`, this.#handed)
      } catch (error) {
        if (
          !(error instanceof GmailFailure) ||
          (error.kind !== 'cut' && error.kind !== 'silence' && error.kind !== 'connect')
        )
          throw error
        this.#doubt.mayBeThere ||= error.handed
        last = error
      }
    }
    if (signal.aborted) throw new GmailFailure('stopped', 'stopped', this.#handed)
    const text = last instanceof Error ? last.message : 'no answer'
    throw new GmailFailure('cut', text, this.#handed, last)
  }

  /** How many bytes Gmail has, or its answer if it has all of them or does not know the upload. */
  async #arrived(signal: AbortSignal): Promise<number | Reply> {
    const { sizeBytes } = this.#content
    const reply = await this.#ask(
      { method: 'PUT', url: this.#url, headers: { 'content-range': `bytes */${sizeBytes}` }, body: null },
      signal,
    )
    if (reply.status !== 308) {
      if (reply.status < 500) return reply
      throw new GmailFailure('cut', `asking what has arrived returned ${reply.status}`, this.#handed)
    }
    const range = reply.headers['range']
    const upTo = /^bytes=0-(\d{1,12})$/.exec(typeof range === 'string' ? range : '')?.[1]
    const has = upTo === undefined ? 0 : Number(upTo) + 1
    if (has > sizeBytes) throw new GmailFailure('nonsense', 'it has more bytes than there are', this.#handed)
    // It still waits for some of it.
    this.#doubt.mayBeThere = false
    return has
  }

  async #send(from: number, signal: AbortSignal): Promise<Reply> {
    const { sizeBytes, handingOver } = this.#content
    const content = this.#content
    const body: Outgoing = {
      sizeBytes: sizeBytes - from,
      chunks: () => heldEnd(after(content.chunks(), from)),
      handingOver,
    }
    const range = from === 0 ? {} : { 'content-range': `bytes ${from}-${sizeBytes - 1}/${sizeBytes}` }
    const headers = { 'content-type': 'message/rfc822', ...range }
    const reply = await this.#ask({ method: 'PUT', url: this.#url, headers, body }, signal)
    // A success is only that with its answer.
    if (reply.status === 200 && reply.json === undefined) {
      throw new GmailFailure('nonsense', `its answer is not JSON: it begins with "${reply.begins}"`, true)
    }
    return reply
  }
}

/** Without the first bytes. */
async function* after(chunks: AsyncIterable<Buffer>, from: number): AsyncGenerator<Buffer, void, void> {
  let skip = from
  for await (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length
    else {
      yield skip === 0 ? chunk : chunk.subarray(skip)
      skip = 0
    }
  }
}

/** The last byte comes alone, so that all others can go before the message is handed over. */
async function* heldEnd(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let last: Buffer | null = null
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    if (last !== null) yield last
    last = chunk
  }
  if (last === null) return
  if (last.length > 1) yield last.subarray(0, -1)
  yield last.subarray(-1)
}
