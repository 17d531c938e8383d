// A closer look at a message that the server lists: at its header by TOP, or at all of it by RETR. TOP is a hint that a server
// can lose: where it is missing, ends a session or says something else than RETR, RETR and the digest decide from then on
// (P158). The one rule: a look may say "the same", and only a look at the whole message may say "another".
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

interface Numbered {
  readonly number: number
}

/** What becomes of a server's TOP, and of a message that ends a session when it is looked at. */
export interface LookMemory {
  /** May TOP be believed? */
  readonly top: boolean
  loseTop(why: string): void
  /** Where looks at whole messages ended sessions of this poll: how, by their numbers. */
  readonly broken?: ReadonlyMap<number, PopfetchError>
}

/** A look ended its session; another one may do better. */
export class BrokenLook extends PopfetchError {
  override readonly name: string = 'BrokenLook'
  readonly verb: 'TOP' | 'RETR'
  /** Null: it was one of several. */
  readonly number: number | null

  constructor(verb: 'TOP' | 'RETR', number: number | null, cause: unknown) {
    const { code, message, scope, retry, pauseMs } = asPopfetchError(cause)
    super(code, message, { scope, retry, pauseMs, cause })
    this.verb = verb
    this.number = number
  }
}

/** The looks of one session. */
export class Looks {
  readonly #session: Session
  readonly #memory: LookMemory
  /** Retrieved, and not known to be delivered: where QUIT drops what was retrieved, it must not be said before they are. */
  readonly #open = new Set<number>()

  constructor(session: Session, memory: LookMemory) {
    this.#session = session
    this.#memory = memory
  }

  get top(): boolean {
    return this.#memory.top
  }

  /** How a look at the whole message ended a session of this poll; undefined: none did. Another one is not worth a session. */
  endOf({ number }: Numbered): PopfetchError | undefined {
    return this.#memory.broken?.get(number)
  }

  get open(): ReadonlySet<number> {
    return this.#open
  }

  /** At the headers, in order; null for one that the server does not show, or shows to no purpose. Rejects with BrokenLook. */
  async headers(entries: readonly Numbered[]): Promise<readonly (Look | null)[]> {
    if (!this.#memory.top) return entries.map(() => null)
    return await this.shown(entries)
  }

  /** The same whatever TOP was found to be worth: for messages that nothing else tells. */
  shown(entries: readonly Numbered[]): Promise<readonly (Look | null)[]> {
    return this.read(entries, (header) => lookAt(header, null))
  }

  /** The same with what `read` makes of each header; the header itself is not kept. */
  async read<T>(entries: readonly Numbered[], read: (header: Buffer) => T): Promise<readonly (T | null)[]> {
    const found: (T | null)[] = []
    for (let at = 0; at < entries.length; at += HEADERS_AT_ONCE) {
      const batch = entries.slice(at, at + HEADERS_AT_ONCE)
      const headers = await Promise.all(batch.map(({ number }) => this.#session.header(number))).catch(
        (error: unknown) => {
          throw this.#broken(null, error)
        },
      )
      for (const header of headers) found.push(header === null ? null : read(header))
    }
    return found
  }

  /** At all of it; null: the server does not give it. Rejects with BrokenLook. */
  async whole(entry: Numbered & EntryKey): Promise<Look | null> {
    const body = new DigestedBody()
    const reply = await this.#session.retrieve(entry.number, body).catch((error: unknown) => {
      throw this.#broken(entry.number, error, entry.uidl === '')
    })
    if (reply.status !== 'ok') return null
    this.retrieved(entry)
    return body.look()
  }

  /** It was retrieved, by whomever, and not for a delivery. */
  retrieved({ number }: Numbered): void {
    this.#open.add(number)
  }

  /** What was retrieved is delivered already. */
  settle({ number }: Numbered): void {
    this.#open.delete(number)
  }

  /** TOP and RETR disagree about a message that is known to be the same. */
  loseTop(): void {
    if (this.#memory.top) this.#memory.loseTop('TOP does not show what RETR gives: not used here any more')
  }

  #broken(number: number | null, error: unknown, isNameless = false): unknown {
    const { botched, brokenAt } = this.#session
    const isOurs = botched?.code === 'ERR_ABORTED' || botched instanceof ExpiredToken
    const verb = brokenAt?.verb
    return isOurs || (verb !== 'TOP' && verb !== 'RETR')
      ? error
      : new BrokenLook(isNameless ? 'RETR' : verb, number, error)
  }
}

function lookAt(header: Buffer, whole: Look['whole']): Look {
  const head = splitHeader(header)
  return { fingerprint: fingerprint(head), stateBytes: stateBytes(head), receivedMs: receivedDateMs(head), whole }
}

/** Keeps nothing of a message but its header, its length and its digest. */
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
