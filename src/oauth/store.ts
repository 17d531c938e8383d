// Where sign-ins are kept: a file each in `oauth/` beside the ledger, 0600 in a directory 0700, with a lock beside it. A file is
// written under another name, made durable, and then gets its name: whoever reads it sees the old one or the new one, whole.
// The one rule: a file that somebody else could have read or written is not believed, and never mended by us.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { display } from '../display.ts'
import { errnoOf, PopfetchError } from '../errors.ts'
import { ForeignFile, openDirectory, OwnFile, ourUid } from '../own-file.ts'
import { redactor } from '../redact.ts'
import { lockFile } from '../ledger/sqlite/lock-file.ts'
import { parseRecord, recordText, type SignInRecord } from './record.ts'

const LIMIT_BYTES = 262_144
const NAME = /^([0-9a-f]{32})\.json$/

/** Two tokens as long as any may be, and what stands beside them. */
const ROOM_BYTES = 65_536

/** A file of its own that keeps room on the disk. */
export interface Room extends AsyncDisposable {
  readonly draft: string
}

export interface StoreContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** For tests: called after each step that changes the disk. */
  readonly step?: (name: string) => void
}

export class Store {
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
    return await this.#read(this.#fileOf(client, user), `the sign-in of ${display(user)} by ${client}`)
  }

  /** All that are kept, whatever the configuration says now, but those whose file is not to be believed. */
  async all(): Promise<readonly SignInRecord[]> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      // Who asks for one of them is told what is wrong.
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return []
      throw error
    })
    const files = names.filter((name) => NAME.test(name)).map((name) => path.join(this.#directory, name))
    const records = await Promise.all(
      files.map((file) => this.#read(file, `the sign-in in ${display(file, 4096)}`).catch(() => null)),
    )
    return records.filter((record) => record !== null)
  }

  /** Resolves when the file would survive a power cut. Under the lock. `room`: as `reserve` gave it. */
  async write(record: SignInRecord, room: Room | null = null): Promise<void> {
    const file = this.#fileOf(record.client, record.user)
    const draft = room?.draft ?? draftOf(file)
    try {
      await this.#sweep(file)
      const handle = await open(draft, room === null ? 'wx' : 'r+', 0o600)
      try {
        this.#step('opened')
        const bytes = Buffer.from(recordText(record))
        await handle.writeFile(bytes)
        await handle.truncate(bytes.length)
        this.#step('written')
        await handle.sync()
        this.#step('synced')
      } finally {
        await handle.close()
      }
      await rename(draft, file)
      this.#step('renamed')
      await this.#syncDirectory()
      this.#step('durable')
    } catch (error) {
      await rm(draft, { force: true }).catch(() => undefined)
      throw unwritten(this.#directory, error)
    }
  }

  /** Room on the disk for the largest record, taken beforehand: what a provider gives but once must not meet a full disk. Under the
   *  lock; `write` or disposing of it gives it back, and so does the next `write` after a kill. */
  async reserve(client: string, user: string): Promise<Room> {
    const file = this.#fileOf(client, user)
    const draft = draftOf(file)
    const giveBack = async (): Promise<void> => {
      this.#rooms.delete(draft)
      await rm(draft, { force: true }).catch(() => undefined)
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
      throw unwritten(this.#directory, error)
    }
  }

  /** Under the lock. False: there was none. */
  async remove(client: string, user: string): Promise<boolean> {
    const file = this.#fileOf(client, user)
    try {
      await rm(file)
      await this.#syncDirectory()
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw unwritten(this.#directory, error)
    }
  }

  /** The right to change this sign-in, over all processes. Makes the directory if need be. Null: another has it all the time. */
  async lock(client: string, user: string, limitMs: number, signal: AbortSignal): Promise<Disposable | null> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      const fault = await openDirectory(this.#directory, { uid: ourUid(this.#context.env) })
      if (fault !== null) throw new ForeignFile(fault)
      const lock = this.#fileOf(client, user).replace(/json$/, 'lock')
      return await lockFile(lock, { limitMs, signal })
    } catch (error) {
      if (error instanceof ForeignFile) throw notOurs(`sign-ins in ${display(this.#directory, 4096)}`, error.message)
      signal.throwIfAborted()
      throw unwritten(this.#directory, error)
    }
  }

  async #read(file: string, what: string): Promise<SignInRecord | null> {
    const text = await this.#text(file, what)
    if (text === null) return null
    const record = parseRecord(text)
    if (record === null) throw notOurs(what, `${display(file, 4096)} is not as popfetch writes it: remove it`)
    const { refreshToken, accessToken } = record
    if (refreshToken !== null) redactor.add(refreshToken, `a refresh token of ${record.client}`)
    if (accessToken !== null) redactor.add(accessToken, `an access token of ${record.client}`)
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
      if (bytes === null) throw new ForeignFile({ found: 'larger than 256 KiB', mend: `remove ${display(file, 4096)}` })
      return bytes.toString('utf8')
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return null
      if (error instanceof ForeignFile || errno === 'EACCES' || errno === 'ELOOP') {
        throw notOurs(
          what,
          error instanceof ForeignFile
            ? `its file is not to be believed: ${error.message}`
            : `its file may not be read (${errno})`,
        )
      }
      throw new PopfetchError('ERR_SECRET', `reading ${what}: ${errno ?? 'it cannot be read'}: trying again later`, {
        scope: 'account',
        retry: 'soon',
        cause: error,
      })
    }
  }

  /** What a killed process left. */
  async #sweep(file: string): Promise<void> {
    const begin = `${path.basename(file)}.new-`
    const names = await readdir(this.#directory)
    await Promise.all(
      names
        .filter((name) => name.startsWith(begin))
        .map((name) => path.join(this.#directory, name))
        .filter((draft) => !this.#rooms.has(draft))
        .map((draft) => rm(draft, { force: true })),
    )
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

function draftOf(file: string): string {
  return `${file}.new-${randomBytes(8).toString('hex')}`
}

function notOurs(what: string, why: string): PopfetchError {
  return new PopfetchError('ERR_AUTH', `reading ${what}: ${why}`, { scope: 'account', retry: 'never' })
}

function unwritten(directory: string, cause: unknown): PopfetchError {
  const why = errnoOf(cause) ?? (cause instanceof Error ? display(cause.message) : 'unknown reason')
  const text = `keeping a sign-in in ${display(directory, 4096)}: ${why}: nothing of it is used: make room there, or give permission`
  return new PopfetchError('ERR_LEDGER', text, { scope: 'account', retry: 'soon', cause })
}
