// A closer look at a message that the server lists: at its header by TOP, or at all of it by RETR. TOP is only a hint. If it is
// missing, ends a session or disagrees with RETR, then RETR and the digest decide from then on (P158). Whoever asks for a
// message without delivering it asks here: an end of the session is noted, by its place in the queue. The one rule: a look may
// say "the same", and only a look at the whole message may say "another".
import { createHash } from 'node:crypto'
import { asPopfetchError, PopfetchError } from '../../errors.ts'
import { fingerprint, receivedDateMs, splitHeader, stateBytes } from '../../header.ts'
import type { EntryKey, KnownMessage } from '../../ledger/ledger.ts'
import type { Session } from '../../pop3/session.ts'
import { headerBody } from '../../pop3/wire/collected-body.ts'
import type { BodySink } from '../../pop3/wire/exchange.ts'
import { ExpiredToken } from '../../pop3/wire/reply-error.ts'

/** Headers asked for at once: each answer is up to 64 KiB. */
const HEADERS_AT_ONCE = 64

export interface Look {
  readonly fingerprint: Buffer
  /** How much of the header is a server's own notes. */
  readonly stateBytes: number
  /** When the server took it, as the topmost Received field says; null: it does not. */
  readonly receivedMs: number | null
  /** Null: only the header was looked at. */
  readonly whole: { readonly bytes: number; readonly digest: Buffer } | null
}

/** What was delivered. */
export type Delivered = Pick<KnownMessage, 'fingerprint' | 'digest' | 'receivedBytes'>

/** Is it what was delivered? False after a look at the header alone means: look closer. */
export function isSame(known: Delivered, { fingerprint: print, stateBytes: notes, whole }: Look): boolean {
  const isLike = known.fingerprint?.equals(print) === true
  if (whole === null) return isLike
  if (known.digest?.equals(whole.digest) === true) return true
  // Some servers add fields about a message to its header once they have shown it (P128).
  return isLike && known.receivedBytes !== null && Math.abs(whole.bytes - known.receivedBytes) <= notes
}

/** A message to be looked at. `uidl` '': the server gave none. */
export interface Looked extends EntryKey {
  readonly number: number
  readonly sizeBytes: number | null
  /** Null or absent: the ledger does not know the message, or not that it is this one. */
  readonly known?: KnownMessage | null
}

export type LookVerb = 'TOP' | 'RETR'

/** What becomes of a server's TOP, and of a message that ends a session when it is looked at. */
export interface LookMemory {
  /** May TOP be believed? */
  readonly top: boolean
  loseTop(why: string): void
  /** Is it not to be asked for in this session, because a look at it ended one? Absent: nothing is remembered. */
  shuns?(verb: LookVerb, message: Looked): boolean
  /** It was retrieved after all. */
  came?(message: Looked): void
  /** It ended the session. Null: nobody can tell which one did. */
  ended?(verb: LookVerb, message: Looked | null, error: PopfetchError): Promise<void>
}

/** A look ended its session; another one may do better. */
export class BrokenLook extends PopfetchError {
  override readonly name: string = 'BrokenLook'
  readonly verb: LookVerb
  readonly #culprit: Looked | null

  /** `culprit` null: unknown which message it was. */
  constructor(verb: LookVerb, culprit: Looked | null, cause: unknown) {
    const { code, message, scope, retry, pauseMs } = asPopfetchError(cause)
    super(code, message, { scope, retry, pauseMs, cause })
    this.verb = verb
    this.#culprit = culprit
  }

  isAbout({ number }: Pick<Looked, 'number'>): boolean {
    return this.#culprit?.number === number
  }
}

/** The looks of one session. */
export class Looks {
  readonly #session: Session
  readonly #memory: LookMemory
  /** Retrieved, and not known to be delivered: where QUIT drops what was retrieved, it must not be said before they are. */
  readonly #open = new Set<number>()
  /** What the session may end at: by their numbers. */
  readonly #asked = new Map<number, Looked>()
  #isNoted = false

  constructor(session: Session, memory: LookMemory) {
    this.#session = session
    this.#memory = memory
  }

  get top(): boolean {
    return this.#memory.top
  }

  get open(): ReadonlySet<number> {
    return this.#open
  }

  /** At the headers, in order; null for one that the server does not show, or shows to no purpose. Rejects with BrokenLook. */
  async headers(entries: readonly Looked[]): Promise<readonly (Look | null)[]> {
    if (!this.#memory.top) return entries.map(() => null)
    return await this.shown(entries)
  }

  /** The same whatever TOP was found to be worth: for messages that nothing else tells. */
  shown(entries: readonly Looked[]): Promise<readonly (Look | null)[]> {
    return this.read(entries, (header) => lookAt(header, null))
  }

  /** The same with what `read` makes of each header; the header itself is not kept. */
  async read<T>(entries: readonly Looked[], read: (header: Buffer) => T): Promise<readonly (T | null)[]> {
    const found: (T | null)[] = []
    for (let at = 0; at < entries.length; at += HEADERS_AT_ONCE) {
      const batch = entries.slice(at, at + HEADERS_AT_ONCE)
      this.#asked.clear()
      for (const entry of batch) this.#asked.set(entry.number, entry)
      const asked = batch.map((entry) =>
        this.#memory.shuns?.('TOP', entry) === true ? Promise.resolve(null) : this.#session.header(entry.number),
      )
      const headers = await Promise.all(asked).catch(async (error: unknown) => {
        throw await this.#broken(error, null)
      })
      for (const header of headers) found.push(header === null ? null : read(header))
    }
    return found
  }

  /** Looks at the whole message; null: the server does not give it, or is not asked for it here. Rejects with BrokenLook. */
  async whole(entry: Looked): Promise<Look | null> {
    const body = new DigestedBody()
    return (await this.retrieve(entry, body)) ? body.look() : null
  }

  /** The same, with its bytes for `body`. False: null. */
  async retrieve(entry: Looked, body: BodySink): Promise<boolean> {
    if (this.#memory.shuns?.('RETR', entry) === true) return false
    this.#asked.set(entry.number, entry)
    const isRefused = await this.#refuses(entry, body).catch(async (error: unknown) => {
      throw await this.#broken(error, entry)
    })
    if (isRefused) return false
    this.#asked.delete(entry.number)
    this.#memory.came?.(entry)
    // Not for a delivery.
    this.#open.add(entry.number)
    return true
  }

  async #refuses({ number }: Looked, body: BodySink): Promise<boolean> {
    const reply = await this.#session.retrieve(number, body)
    if (reply.status === 'ok') return false
    // Some servers close behind a refusal (P160): then it is this message's end, and not that of what comes next.
    await this.#session.noop()
    return true
  }

  /** What was retrieved is delivered already. */
  settle({ number }: Pick<Looked, 'number'>): void {
    this.#open.delete(number)
  }

  /** TOP and RETR disagree about a message that is known to be the same. */
  loseTop(): void {
    if (this.#memory.top) this.#memory.loseTop('TOP does not show what RETR gives: no longer used here')
  }

  /** Blame goes by the place in the queue (P160). Of several whose answers got out of step none can be blamed. `asked`: what RETR was
   *  asked for. */
  async #broken(error: unknown, asked: Looked | null): Promise<unknown> {
    const { botched, brokenAt } = this.#session
    const isOurs = botched?.code === 'ERR_ABORTED' || botched instanceof ExpiredToken
    if (botched === null || isOurs || (brokenAt?.verb !== 'TOP' && brokenAt?.verb !== 'RETR')) return error
    const { verb, number, alone } = brokenAt
    const isTold = botched.code !== 'ERR_POP3_PROTOCOL' || alone
    const culprit = isTold && number !== null ? this.#asked.get(number) : undefined
    // All that wait for their answers are told of the end.
    if (!this.#isNoted) {
      this.#isNoted = true
      await this.#memory.ended?.(verb, culprit ?? null, botched)
      // Behind a refused TOP it may be the one or the other. Without UIDL TOP is asked for again and again, and tells nothing.
      if (verb === 'TOP' && asked?.uidl === '') await this.#memory.ended?.('RETR', asked, botched)
    }
    return new BrokenLook(verb, culprit ?? null, error)
  }
}

function lookAt(header: Buffer, whole: Look['whole']): Look {
  const head = splitHeader(header)
  return { fingerprint: fingerprint(head), stateBytes: stateBytes(head), receivedMs: receivedDateMs(head), whole }
}

/** Keeps only the header, the length and the digest of a message. */
class DigestedBody implements BodySink {
  readonly #header = headerBody()
  readonly #digest = createHash('sha256')
  #bytes = 0

  write(chunk: Buffer): undefined {
    if (this.#bytes < HEAD_BYTES) this.#header.write(chunk)
    this.#digest.update(chunk)
    this.#bytes += chunk.length
  }

  look(): Look {
    return lookAt(this.#header.bytes(), { bytes: this.#bytes, digest: this.#digest.digest() })
  }
}

/** More than is looked at. */
const HEAD_BYTES = 128 * 1024
