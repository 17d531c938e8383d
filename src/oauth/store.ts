// Where sign-ins are kept: a file each in `oauth/` beside the ledger, 0600 in a directory 0700, with a lock beside it. A file
// is written under another name, made durable, and then gets its real name. A reader sees the old one or the new one, whole. A
// renewal that was written whole, but has no name yet because of a kill, gets it from the next who has the lock. The one rule:
// a file that somebody else could have read or written is not believed, and never mended by us.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { display } from '../display.ts'
import { errnoOf, PopfetchError } from '../errors.ts'
import { ForeignFile, judgePlace, NOT_REGULAR, openDirectory, OwnFile, ourUid } from '../own-file.ts'
import { redactor } from '../redact.ts'
import { lockFile } from '../ledger/sqlite/rows/lock-file.ts'
import { isAnswerTo, isNewer, parseRecord, recordText, type SignInRecord } from './record.ts'

const LIMIT_BYTES = 262_144
const NAME = /^([0-9a-f]{32})\.json$/

/** Two tokens as long as any may be, and what is beside them. */
const ROOM_BYTES = 65_536

/** Of an answer that is on the disk, and has no name yet. */
const WAITS = 'it is there, and is used when the disk works again'

/** Room for a record, before it is there. */
export interface Room extends AsyncDisposable {
  /** A file of its own that keeps room on the disk; '': no file is needed. */
  readonly draft: string
}

/** Where sign-ins are kept: files of this machine (Store), or a database, sealed (sealed-store.ts). Only KeptSignIns uses it. */
export interface SignInStore {
  /** Null: there is none. From now on its secrets are masked. Rejects with ERR_AUTH for one that is not to be believed, with
   *  ERR_CONFIG where the key is another. */
  read(client: string, user: string): Promise<SignInRecord | null>
  /** All that are kept and can be believed, whatever the configuration says now. `fault` is told why, for each of the others. */
  all(fault?: (error: unknown) => void): Promise<readonly SignInRecord[]>
  /** Durable when it resolves. Under the lock. `room`: as `reserve` gave it, for what cannot be had twice. */
  write(record: SignInRecord, room?: Room | null): Promise<void>
  /** Whatever can fail before a provider is asked, fails here. Under the lock. */
  reserve(client: string, user: string): Promise<Room>
  /** Under the lock. False: there was none. */
  remove(client: string, user: string): Promise<boolean>
  /** The right to change a sign-in, over all that share the ledger. Null: another has it all the time. */
  lock(client: string, user: string, limitMs: number, signal: AbortSignal): Promise<AsyncDisposable | null>
}

export interface StoreContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** For tests: called after each step that changes the disk. */
  readonly step?: (name: string) => void
}

export class Store implements SignInStore {
  readonly #directory: string
  readonly #context: StoreContext
  /** Drafts that keep room, of ours. */
  readonly #rooms = new Set<string>()

  /** `folder`: where the ledger is. */
  constructor(folder: string, context: StoreContext) {
    this.#directory = path.join(folder, 'oauth')
    this.#context = context
  }

  /** Null: there is none. From now on its secrets are masked. Rejects with ERR_AUTH for a file that is not to be believed. */
  async read(client: string, user: string): Promise<SignInRecord | null> {
    const what = `the sign-in of ${display(user)} via ${client}`
    const file = this.#fileOf(client, user)
    const record = await this.#read(file, what)
    if (record !== null && (record.client !== client || record.user !== user))
      throw notOurs(
        what,
        `${display(file, 4096)} is the sign-in of ${display(record.user)}: sign in again: popfetch auth`,
      )
    return record
  }

  async all(fault: (error: unknown) => void = () => undefined): Promise<readonly SignInRecord[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      // A request for one of them is told what is wrong.
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return []
      throw error
    })
    const files = names.filter((name) => NAME.test(name)).map((name) => path.join(this.#directory, name))
    const records = await Promise.all(
      files.map((file) =>
        this.#read(file, `the sign-in in ${display(file, 4096)}`).catch((error: unknown) => {
          fault(error)
          return null
        }),
      ),
    )
    return records.filter((record) => record !== null)
  }

  /** Resolves when the file would survive a power cut. Under the lock. `room`: as `reserve` gave it, for what cannot be had twice:
   *  that stays on the disk as soon as it is whole there, whatever fails then, and the next lock finds it. */
  async write(record: SignInRecord, room: Room | null = null): Promise<void> {
    const file = this.#fileOf(record.client, record.user)
    const draft = room?.draft ?? draftOf(file)
    let isLasting = false
    try {
      await this.#sweep(file)
      const handle = await open(draft, room === null ? 'wx' : 'r+', 0o600)
      try {
        this.#step('opened')
        const bytes = Buffer.from(recordText(record))
        await handle.writeFile(bytes)
        await handle.truncate(bytes.length)
        isLasting = room !== null
        if (isLasting) this.#rooms.delete(draft)
        this.#step('written')
        await handle.sync()
        this.#step('synced')
      } finally {
        await handle.close()
      }
      await this.#name(draft, file)
    } catch (error) {
      if (isLasting) throw unkept(file, error, WAITS)
      await rm(draft, { force: true }).catch(() => undefined)
      if (room === null) throw unkept(file, error)
      // The room is free again, which helps where what is written over takes new blocks.
      await this.write(record).catch(() => {
        throw unkept(file, error, 'the provider may not give it again, and then popfetch auth is needed')
      })
    }
  }

  async #name(draft: string, file: string): Promise<void> {
    await rename(draft, file)
    this.#step('renamed')
    await this.#syncDirectory()
    this.#step('durable')
  }

  /** Room on the disk for the largest record, taken beforehand: what a provider gives but once must not meet a full disk. Under the
   *  lock; `write` or disposing of it gives it back, and so does the next `write` after a kill. */
  async reserve(client: string, user: string): Promise<Room> {
    const file = this.#fileOf(client, user)
    const draft = draftOf(file)
    const giveBack = async (): Promise<void> => {
      if (this.#rooms.delete(draft)) await rm(draft, { force: true }).catch(() => undefined)
    }
    try {
      await this.#sweep(file)
      this.#rooms.add(draft)
      const handle = await open(draft, 'wx', 0o600)
      try {
        await handle.writeFile(Buffer.alloc(ROOM_BYTES, ' '))
        await handle.sync()
      } finally {
        await handle.close()
      }
      this.#step('reserved')
      return { draft, [Symbol.asyncDispose]: giveBack }
    } catch (error) {
      await giveBack()
      throw unkept(this.#directory, error)
    }
  }

  /** Under the lock. False: there was none. */
  async remove(client: string, user: string): Promise<boolean> {
    const file = this.#fileOf(client, user)
    try {
      await rm(file)
      await this.#sweep(file)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw failed(`forgetting the sign-in in ${display(file, 4096)}`, error)
    }
    // Should it come back after a power cut, the provider has ended it.
    await this.#syncDirectory().catch(() => undefined)
    return true
  }

  /** The right to change this sign-in, over all processes. Makes the directory if need be, and ends what a killed process had begun.
   *  Null: another has it all the time. */
  async lock(
    client: string,
    user: string,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<(Disposable & AsyncDisposable) | null> {
    const file = this.#fileOf(client, user)
    const lock = await this.#locked(file.replace(/json$/, 'lock'), limitMs, signal)
    if (lock === null) return null
    try {
      await this.#settle(client, user)
      const giveBack = (): void => lock[Symbol.dispose]()
      return { [Symbol.dispose]: giveBack, [Symbol.asyncDispose]: () => Promise.resolve(giveBack()) }
    } catch (error) {
      lock[Symbol.dispose]()
      throw unkept(file, error, WAITS)
    }
  }

  async #locked(file: string, limitMs: number, signal: AbortSignal): Promise<Disposable | null> {
    const rules = { uid: ourUid(this.#context.env) }
    try {
      const [above] = (await judgePlace(this.#directory, rules)).faults
      if (above !== undefined) throw new ForeignFile(above)
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      const fault = (await openDirectory(this.#directory, rules)) ?? (await judgePlace(file, rules)).faults[0]
      if (fault !== undefined) throw new ForeignFile(fault)
      return await lockFile(file, { limitMs, signal })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof ForeignFile)
        throw foreign(`keeping sign-ins in ${display(this.#directory, 4096)}`, error, file)
      throw failed(`locking a sign-in by ${display(file, 4096)}`, error)
    }
  }

  /** Under the lock. Rejects with the system's error when an answer that is there cannot get its name. */
  async #settle(client: string, user: string): Promise<void> {
    const file = this.#fileOf(client, user)
    for (const draft of await this.#drafts(file)) {
      const kept = await this.read(client, user).catch(() => null)
      const found = kept === null ? null : await this.#read(draft, 'a renewed sign-in').catch(() => null)
      if (kept === null || found === null || !isAnswerTo(kept, found)) continue
      const handle = await open(draft, 'r+')
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
      await this.#name(draft, file)
    }
  }

  async #read(file: string, what: string): Promise<SignInRecord | null> {
    const text = await this.#text(file, what)
    if (text === null) return null
    const record = parseRecord(text)
    if (record === null) {
      const how = isNewer(text)
        ? 'was written by a newer popfetch: use that one, or sign in again with this one'
        : 'is not as popfetch writes it: sign in again'
      throw notOurs(what, `${display(file, 4096)} ${how}: popfetch auth`)
    }
    maskTokens(record)
    return record
  }

  async #text(file: string, what: string): Promise<string | null> {
    const uid = ourUid(this.#context.env)
    try {
      await using opened = await OwnFile.open(file, { uid })
      const [fault] = opened.faults
      if (fault !== undefined) throw new ForeignFile(fault)
      if (uid !== null && (opened.stats.mode & 0o077) !== 0) {
        const mode = (opened.stats.mode & 0o7777).toString(8)
        throw new ForeignFile({
          found: `open to others (mode ${mode})`,
          mend: `chmod 600 ${display(file, 4096)}, or sign in again if others may have read it`,
        })
      }
      const bytes = await opened.bytes(LIMIT_BYTES)
      if (bytes === null) throw new ForeignFile({ found: 'larger than 256 KiB', mend: 'sign in again: popfetch auth' })
      return bytes.toString('utf8')
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return null
      if (error instanceof ForeignFile) throw foreign(`reading ${what}: its file cannot be trusted`, error, file)
      if (errno === 'EACCES' || errno === 'ELOOP') {
        const mend = errno === 'EACCES' ? 'give this user permission' : 'sign in again: popfetch auth'
        throw notOurs(what, `${display(file, 4096)} cannot be read (${errno}): ${mend}`)
      }
      throw new PopfetchError('ERR_SECRET', `reading ${what}: ${errno ?? 'it cannot be read'}: trying again later`, {
        scope: 'account',
        retry: 'soon',
        cause: error,
      })
    }
  }

  /** What a killed process left, or one that met a full disk. */
  async #drafts(file: string): Promise<readonly string[]> {
    const begin = `${path.basename(file)}.new-`
    const names = await readdir(this.#directory)
    return names
      .filter((name) => name.startsWith(begin))
      .map((name) => path.join(this.#directory, name))
      .filter((draft) => !this.#rooms.has(draft))
  }

  async #sweep(file: string): Promise<void> {
    await Promise.all((await this.#drafts(file)).map((draft) => rm(draft, { force: true })))
  }

  async #syncDirectory(): Promise<void> {
    const handle = await open(this.#directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  #fileOf(client: string, user: string): string {
    const name = createHash('sha256').update(`${client}\0${user}`).digest('hex').slice(0, 32)
    return path.join(this.#directory, `${name}.json`)
  }

  #step(name: string): void {
    this.#context.step?.(name)
  }
}

/** In all that popfetch writes from now on. */
export function maskTokens({ refreshToken, accessToken, client }: SignInRecord): void {
  if (refreshToken !== null) redactor.add(refreshToken, `a refresh token of ${client}`)
  if (accessToken !== null) redactor.add(accessToken, `an access token of ${client}`)
}

function draftOf(file: string): string {
  return `${file}.new-${randomBytes(8).toString('hex')}`
}

function notOurs(what: string, why: string): PopfetchError {
  return new PopfetchError('ERR_AUTH', `reading ${what}: ${why}`, { scope: 'account', retry: 'never' })
}

function foreign(doing: string, { found, mend }: ForeignFile, file: string): PopfetchError {
  const how = found === NOT_REGULAR.found ? `remove ${display(file, 4096)}, and sign in again: popfetch auth` : mend
  return new PopfetchError('ERR_AUTH', `${doing}: it is ${found}: ${how}`, { scope: 'account', retry: 'never' })
}

/** `place`: a file, or the folder. */
function unkept(place: string, cause: unknown, what = 'nothing of it is used'): PopfetchError {
  return failed(`keeping a sign-in in ${display(place, 4096)}`, cause, what)
}

/** What the system says in words, and what to do. */
const WORDS: Readonly<Record<string, readonly [string, string]>> = {
  ENOSPC: ['no space left', 'make room there'],
  EDQUOT: ['the quota is used up', 'make room there'],
  EROFS: ['it is read-only', 'make it writable, or choose another place (state)'],
  EACCES: ['permission denied', 'give this user permission to write there'],
  EPERM: ['permission denied', 'give this user permission to write there'],
  EEXIST: ['a file of this name is in the way', 'remove it'],
  ENOTDIR: ['a file is in the way', 'remove it'],
  EISDIR: ['a directory is in the way', 'remove it'],
  ERR_FS_EISDIR: ['a directory is in the way', 'remove it'],
  ELOOP: ['a link is in the way', 'remove it'],
  ERR_SQLITE_ERROR: ['it is not a lock of popfetch', 'remove it'],
}

function failed(doing: string, cause: unknown, what: string | null = null): PopfetchError {
  if (cause instanceof PopfetchError) return cause
  const errno = errnoOf(cause) ?? (cause instanceof Error ? display(cause.message) : 'unknown reason')
  const [words, mend] = WORDS[errno] ?? [null, 'trying again later']
  const why = words === null ? errno : `${words} (${errno})`
  const text = `${doing}: ${why}: ${what === null ? '' : `${what}: `}${mend}`
  return new PopfetchError('ERR_LEDGER', text, { scope: 'account', retry: 'soon', cause })
}
