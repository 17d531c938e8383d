// Where sign-ins are kept with a ledger in a database: there, sealed (seal.ts), so that all machines share them. A dump of the database
// and whoever may read it have nothing of use. What does not open is not believed, and is replaced only by a new sign-in.
import { display } from '../display.ts'
import { asPopfetchError, PopfetchError } from '../errors.ts'
import type { HeldSignIn, SignInRow } from '../ledger/postgres/sign-in-rows.ts'
import { isNewer, parseRecord, recordText, type SignInRecord } from './record.ts'
import type { Opened, Seal } from './seal.ts'
import { maskTokens, type Room, type SignInStore } from './store.ts'

/** The rows of the database (ledger/postgres/sign-in-rows.ts), which are loaded at first use. */
export interface Rows {
  readonly place: string
  read(name: Buffer): Promise<Buffer | null>
  all(): Promise<readonly SignInRow[]>
  replace(row: SignInRow, by: Buffer): Promise<void>
  hold(name: Buffer, limitMs: number, signal: AbortSignal): Promise<HeldSignIn | null>
}

export interface SealedPlace {
  /** Rejects with ERR_CONFIG. */
  readonly rows: () => Promise<Rows>
  /** Rejects with ERR_SECRET, and with ERR_CONFIG where there is no key. */
  readonly seal: () => Promise<Seal>
}

const NO_ROOM: Room = { draft: '', [Symbol.asyncDispose]: () => Promise.resolve() }

export class SealedStore implements SignInStore {
  readonly #place: SealedPlace
  /** What this process may change, by name. */
  readonly #held = new Map<string, HeldSignIn>()

  constructor(place: SealedPlace) {
    this.#place = place
  }

  async read(client: string, user: string): Promise<SignInRecord | null> {
    const what = `the sign-in of ${display(user)} via ${client}`
    try {
      // A key that is no good is told before anybody signs in, too.
      await this.#place.seal()
      const rows = await this.#place.rows()
      const name = nameOf(client, user)
      const sealed = await rows.read(name)
      return sealed === null ? null : await this.#opened(rows, { name, sealed }, what)
    } catch (error) {
      throw ofAccount(error)
    }
  }

  async all(fault?: (error: unknown) => void): Promise<readonly SignInRecord[]> {
    // Without a key nothing opens: the database is asked only where that is to be told.
    if (fault === undefined && (await this.#place.seal().catch(() => null)) === null) return []
    const rows = await this.#place.rows()
    const records: SignInRecord[] = []
    for (const row of await rows.all()) {
      try {
        records.push(await this.#opened(rows, row, 'a sign-in'))
      } catch (error) {
        fault?.(error)
      }
    }
    return records
  }

  async #opened(rows: Rows, row: SignInRow, what: string): Promise<SignInRecord> {
    const seal = await this.#place.seal()
    const opened = seal.open(row.name, row.sealed)
    if (opened.text === null) throw notOpened(what, rows.place, opened)
    const record = parseRecord(opened.text)
    if (record === null) throw notOpened(what, rows.place, { why: isNewer(opened.text) ? 'newer' : 'altered' })
    if (!nameOf(record.client, record.user).equals(row.name)) throw notOpened(what, rows.place, { why: 'altered' })
    maskTokens(record)
    // Sealed with the present key, so that the former one can go. Who may only read leaves that to others.
    if (opened.isFormer) await rows.replace(row, seal.close(row.name, opened.text)).catch(() => undefined)
    return record
  }

  /** Under the lock. */
  async write(record: SignInRecord): Promise<void> {
    const name = nameOf(record.client, record.user)
    const seal = await this.#place.seal()
    await this.#hold(name).write(seal.close(name, recordText(record)))
  }

  /** The key must be there before anything is asked for that can be had but once. */
  async reserve(): Promise<Room> {
    await this.#place.seal()
    return NO_ROOM
  }

  /** Under the lock. */
  async remove(client: string, user: string): Promise<boolean> {
    const name = nameOf(client, user)
    const rows = await this.#place.rows()
    const isThere = (await rows.read(name)) !== null
    await this.#hold(name).write(null)
    return isThere
  }

  async lock(client: string, user: string, limitMs: number, signal: AbortSignal): Promise<AsyncDisposable | null> {
    const name = nameOf(client, user)
    const key = name.toString('hex')
    try {
      const held = await (await this.#place.rows()).hold(name, limitMs, signal)
      if (held === null) return null
      this.#held.set(key, held)
      return {
        [Symbol.asyncDispose]: async () => {
          this.#held.delete(key)
          await held[Symbol.asyncDispose]()
        },
      }
    } catch (error) {
      signal.throwIfAborted()
      throw ofAccount(error)
    }
  }

  #hold(name: Buffer): HeldSignIn {
    const held = this.#held.get(name.toString('hex'))
    if (held === undefined) throw new Error('a sign-in was changed without its lock')
    return held
  }
}

function nameOf(client: string, user: string): Buffer {
  return Buffer.from(`${client}\0${user}`)
}

/** Others may go on: those with a password, and whose token still serves. */
function ofAccount(error: unknown): PopfetchError {
  const { code, message, retry, scope } = asPopfetchError(error)
  if (scope === 'account' && error instanceof PopfetchError) return error
  return new PopfetchError(code, message, { scope: 'account', retry, cause: error })
}

function notOpened(what: string, place: string, { why }: Pick<Extract<Opened, { text: null }>, 'why'>): PopfetchError {
  if (why === 'key') {
    const text = `reading ${what}: in ${display(place)} it is sealed with another key than state.key: give that one back, or name it as state.formerKey, or sign in again: popfetch auth`
    return new PopfetchError('ERR_CONFIG', text, { scope: 'account', retry: 'never' })
  }
  const how =
    why === 'newer'
      ? 'a newer popfetch wrote it: use that one, or sign in again with this one'
      : 'it is not as popfetch sealed it (altered, cut, or that of another user): sign in again'
  return new PopfetchError('ERR_AUTH', `reading ${what} in ${display(place)}: ${how}: popfetch auth`, {
    scope: 'account',
    retry: 'never',
  })
}
